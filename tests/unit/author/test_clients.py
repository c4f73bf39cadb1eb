"""Clients in pods: what a binding delivers is their environment, and what they say at the end is known."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from helmbroker.broker.author.clients import Clients, Refused
from helmbroker.broker.author.stage import CheckFailed
from helmbroker.catalog.contract import Contract
from tests.fakes.kube import FakeKube

NAMESPACE = "trial"
CONTRACT = Contract(("password",), "image", "set -x", {"login": "ask"}, "no entry")


class Node:
    """Ends a pod when somebody waits for it."""

    def __init__(self, kube: FakeKube, status: dict[str, Any]) -> None:
        self.kube, self.status, self.pods = kube, status, list[dict[str, Any]]()

    def pause(self, _seconds: float) -> None:
        for pod in self.kube.list("Pod", NAMESPACE):
            name = pod["metadata"]["name"]
            self.pods.append(pod)
            secret = self.kube.get(
                "Secret", NAMESPACE, pod["spec"]["containers"][0]["envFrom"][0]["secretRef"]["name"]
            )
            assert secret is not None
            assert base64.b64decode(secret["data"]["PASSWORD"]) == b"c4n4ry"
            self.kube.set_status("Pod", NAMESPACE, name, self.status)


def run(status: dict[str, Any]) -> dict[str, Any]:
    kube = FakeKube(NAMESPACE)
    node = Node(kube, status)
    try:
        Clients(kube, NAMESPACE, node.pause).run(CONTRACT, "x:1", "login", {"password": "c4n4ry"})
    finally:
        assert kube.list("Pod", NAMESPACE) == kube.list("Secret", NAMESPACE) == []
    return node.pods[0]


def test_a_step_that_succeeds() -> None:
    pod = run({"phase": "Succeeded"})
    (container,) = pod["spec"]["containers"]
    assert container["command"] == ["sh", "-euc", "set -x\nask"]
    assert "c4n4ry" not in str(pod)


def test_a_step_that_fails_tells_what_it_said() -> None:
    ended = {"phase": "Failed", "containerStatuses": [{"state": {"terminated": {"message": "no entry for you"}}}]}
    with pytest.raises(Refused, match="no entry for you"):
        run(ended)


def test_a_pod_that_cannot_start_tells_why() -> None:
    waiting = {"reason": "ErrImagePull", "message": "not found"}
    with pytest.raises(CheckFailed, match=r"did not end within 120 s: ErrImagePull not found"):
        run({"phase": "Pending", "containerStatuses": [{"state": {"waiting": waiting}}]})
