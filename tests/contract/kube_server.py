"""The servers that keep the contract of Kube, and the objects they are given."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import pytest

from helmbroker.kubeapi.port import Kube, Obj
from tests.cluster.reach import connect, throw_away_namespace
from tests.fakes.kube import FakeKube


@pytest.fixture(params=["fake", pytest.param("cluster", marks=pytest.mark.cluster)])
def kube(request: pytest.FixtureRequest) -> Iterator[Kube]:
    if request.param == "fake":
        yield FakeKube()
        return
    client = connect()
    yield client
    client.close()


@pytest.fixture
def namespace(kube: Kube) -> Iterator[str]:
    with throw_away_namespace(kube) as name:
        yield name


def config_map(namespace: str, name: str = "settings", **data: str) -> Obj:
    metadata: dict[str, Any] = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def secret(namespace: str, name: str = "credentials", **data: str) -> Obj:
    return {
        **config_map(namespace, name),
        "kind": "Secret",
        "type": "helmbroker.io/test",
        "data": encoded(**data),
    }


def encoded(**data: str) -> dict[str, str]:
    return {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}


def deployment(namespace: str) -> Obj:
    pod = {
        "metadata": {"labels": {"app": "web"}},
        "spec": {"containers": [{"name": "web", "image": "sandbox.local/none:1"}]},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": namespace},
        "spec": {"replicas": 0, "selector": {"matchLabels": {"app": "web"}}, "template": pod},
    }


def claim(namespace: str, size: str) -> Obj:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data", "namespace": namespace},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}},
    }


def names(objects: list[Obj]) -> list[str]:
    return sorted(obj["metadata"]["name"] for obj in objects)
