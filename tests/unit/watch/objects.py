"""A namespace with what ServiceBindings are about, on a FakeKube."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from helmbroker.controller_bridge.watch.catalog_bindings import KIND as CATALOG_BINDING
from helmbroker.controller_bridge.watch.service_bindings import KIND as BINDING
from helmbroker.controller_bridge.watch.service_bindings import MAPPINGS
from helmbroker.kubeapi.kinds import Kind
from helmbroker.kubeapi.port import Obj
from tests.fakes.kube import FakeKube

SHOP = "shop"
DATABASE = "Database.v1.example.com"
SERVED = (
    Kind("ServiceBinding", "servicebinding.io/v1", "servicebindings"),
    Kind(
        "ClusterWorkloadResourceMapping",
        "servicebinding.io/v1",
        "clusterworkloadresourcemappings",
        namespaced=False,
    ),
    Kind("ServiceBinding", "servicecatalog.k8s.io/v1beta1", "servicebindings"),
    Kind("Database", "example.com/v1", "databases"),
)


def cluster() -> FakeKube:
    kube = FakeKube(SHOP)
    kube.serve(*SERVED)
    assert {BINDING, MAPPINGS, CATALOG_BINDING, DATABASE} == {kind.id for kind in SERVED}
    return kube


def deployment(name: str = "web", **pod: Any) -> Obj:
    labels = {"app": name}
    container = {"name": "web", "image": "shop:1", "env": [{"name": "MODE", "value": "fast"}]}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container], **pod}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": SHOP, "labels": labels},
        "spec": {"selector": {"matchLabels": labels}, "template": template},
    }


def secret(name: str = "db", **entries: str) -> Obj:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": SHOP},
        "data": {key: base64.b64encode(value.encode()).decode() for key, value in entries.items()},
    }


def binding(name: str = "orders", /, **spec: Any) -> Obj:
    given = {
        "service": {"apiVersion": "v1", "kind": "Secret", "name": "db"},
        "workload": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
        **spec,
    }
    metadata = {"name": name, "namespace": SHOP}
    return {"apiVersion": "servicebinding.io/v1", "kind": "ServiceBinding", "metadata": metadata, "spec": given}


def found(kube: FakeKube, kind: str, name: str) -> Obj:
    there = kube.get(kind, SHOP, name)
    assert there is not None
    return there


def pod(workload: Obj) -> Obj:
    spec: Obj = workload["spec"]["template"]["spec"]
    return spec


def conditions(of: Obj) -> Mapping[str, tuple[str, str, str]]:
    return {each["type"]: (each["status"], each["reason"], each["message"]) for each in of["status"]["conditions"]}
