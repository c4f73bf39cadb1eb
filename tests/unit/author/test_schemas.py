"""Rendered objects held against the schemas that Kubernetes publishes."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from helmbroker.broker.author import schemas
from helmbroker.catalog.model import Severity


def service(**more: Any) -> dict[str, Any]:
    port = {"port": 80, "targetPort": "http", **more}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": {"ports": [port]}}


def test_what_kubernetes_takes_is_no_problem() -> None:
    sized = {"resources": {"requests": {"storage": "1Gi"}}, "accessModes": ["ReadWriteOnce"]}
    claim: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data"},
        "spec": sized,
    }
    policy: dict[str, Any] = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "web"},
    }
    assert list(schemas.problems([service(), service(targetPort=8080), claim, policy])) == []


@pytest.mark.parametrize(
    ("obj", "level", "said"),
    [
        (service(nodeport=1), Severity.ERROR, "Service web: spec.ports.0: Additional properties are not allowed"),
        (service(port="80"), Severity.ERROR, "Service web: spec.ports.0.port: '80' is not of type 'integer'"),
        (service(port=["x" * 1000]), Severity.ERROR, "Service web: spec.ports.0.port: ['xxxx"),
        (
            {"apiVersion": "policy/v1beta1", "kind": "PodDisruptionBudget", "metadata": {"name": "web"}},
            Severity.WARNING,
            "PodDisruptionBudget web: Kubernetes 1.36.0 itself knows no PodDisruptionBudget of policy/v1beta1",
        ),
    ],
)
def test_what_it_would_not_take_is_told(obj: dict[str, Any], level: Severity, said: str) -> None:
    ((severity, message),) = schemas.problems([obj])
    assert (severity, message.startswith(said), len(message) < 300) == (level, True, True), message


def test_without_the_schemas_it_is_told_that_nothing_was_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "kubernetes_validate", None)
    ((severity, message),) = schemas.problems([service(port="80")])
    assert (severity, "pip install 'helmbroker[author]'" in message) == (Severity.WARNING, True)
