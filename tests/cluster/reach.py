"""How tests reach a real cluster: by KUBECONFIG, in namespaces of their own that are removed afterwards."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import pytest

from helmbroker.kubeapi.client import KubeClient
from helmbroker.kubeapi.errors import KubeError
from helmbroker.kubeapi.port import Kube

T = TypeVar("T")
LABEL = "helmbroker.io/throw-away"


def connect() -> KubeClient:
    """A client for $KUBECONFIG's cluster; the test fails with what to do when there is none."""
    kubeconfig = os.environ.get("KUBECONFIG")
    if not kubeconfig:
        pytest.fail('no cluster: run `make sandbox-up` and `eval "$(sandbox/sandbox env)"`, or set KUBECONFIG')
    try:
        kube = KubeClient.from_environment(kubeconfig)
        kube.server_version()
    except KubeError as error:
        pytest.fail(f"no cluster: {error}; run `make sandbox-up`, or mend KUBECONFIG={kubeconfig}")
    return kube


@contextmanager
def throw_away_namespace(kube: Kube) -> Iterator[str]:
    """A fresh namespace, whose deletion is begun at the end whatever happened."""
    name = f"test-{uuid.uuid4().hex[:10]}"
    kube.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {LABEL: "yes"}}})
    try:
        if isinstance(kube, KubeClient):  # no pod is made before its account is, and a busy cluster takes its time
            eventually(lambda: kube.get("ServiceAccount", name, "default"), within_s=60, every_s=0.02)
        yield name
    finally:
        kube.delete("Namespace", None, name)


def eventually(look: Callable[[], T | None], *, within_s: float, every_s: float = 0.25) -> T:
    """What `look` finds, once it is not None; fails after `within_s` seconds."""
    deadline = time.monotonic() + within_s
    while True:
        found = look()
        if found is not None:
            return found
        if time.monotonic() > deadline:
            pytest.fail(f"not within {within_s:g} s: {look.__qualname__}")
        pause(every_s)


def pause(seconds: float) -> None:
    """Give a real cluster time between two looks."""
    time.sleep(seconds)
