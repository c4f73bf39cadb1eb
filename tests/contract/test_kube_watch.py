"""The contract of the port Kube: watches, statuses, kinds found at the server; on the fake, and on a cluster."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from helmbroker.kubeapi.errors import Conflict, NotFound
from helmbroker.kubeapi.kinds import named
from helmbroker.kubeapi.port import Change, Kube, Obj
from tests.contract.kube_server import config_map, names

LONG_S = 20.0


def told(changes: Iterator[Change], name: str) -> Change:
    """The next change of this object; a cluster makes ConfigMaps of its own in every namespace."""
    return next(change for change in changes if change.obj["metadata"]["name"] == name)


def ingress(namespace: str) -> Obj:
    spec = {"defaultBackend": {"service": {"name": "web", "port": {"number": 80}}}}
    metadata = {"name": "web", "namespace": namespace}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": metadata, "spec": spec}


def test_a_watch_tells_what_is_there_and_then_every_change(kube: Kube, namespace: str) -> None:
    kube.create(config_map(namespace, "early", a="1"))
    listed, changes = kube.watch("ConfigMap", namespace, for_s=LONG_S)
    assert "early" in names(listed)
    kube.create(config_map(namespace, "late", a="1"))
    added = told(changes, "late")
    assert (added.deleted, added.obj["kind"], added.obj["data"]) == (False, "ConfigMap", {"a": "1"})
    kube.patch("ConfigMap", namespace, "early", {"data": {"a": "2"}})
    assert told(changes, "early").obj["data"] == {"a": "2"}
    kube.delete("ConfigMap", namespace, "late")
    assert told(changes, "late").deleted


def test_a_watch_tells_of_its_namespace_alone_and_ends(kube: Kube, namespace: str) -> None:
    _, changes = kube.watch("Secret", namespace, for_s=1)
    kube.create(config_map(namespace, "another-kind"))
    assert list(changes) == []
    _, everywhere = kube.watch("ConfigMap", None, for_s=LONG_S)
    kube.create(config_map(namespace, "mine"))
    assert told(everywhere, "mine").obj["metadata"]["namespace"] == namespace


def test_a_status_is_written_alone(kube: Kube, namespace: str) -> None:
    created = kube.create(ingress(namespace))
    status = {"loadBalancer": {"ingress": [{"ip": "192.0.2.7"}]}}
    told_back = kube.patch_status("Ingress", namespace, "web", status)
    found = kube.get("Ingress", namespace, "web")
    assert found is not None
    assert (found["status"], found["spec"]) == (status, created["spec"])
    assert told_back["metadata"]["resourceVersion"] == found["metadata"]["resourceVersion"]
    old = created["metadata"]["resourceVersion"]
    with pytest.raises(Conflict):
        kube.patch_status("Ingress", namespace, "web", {"loadBalancer": None}, resource_version=old)
    with pytest.raises(NotFound):
        kube.patch_status("Ingress", namespace, "absent", status)


def test_a_kind_can_be_asked_for_by_its_whole_name(kube: Kube, namespace: str) -> None:
    assert named("apps/v1", "Deployment") == "Deployment"
    assert named("v1", "Widget") == "Widget.v1."
    found = kube.find_kind("Deployment")
    assert found is not None
    assert (found.plural, found.api_version, found.group, found.namespaced) == (
        "deployments",
        "apps/v1",
        "apps",
        True,
    )


def test_a_kind_that_is_not_served_is_none_and_its_objects_are_not_found(kube: Kube, namespace: str) -> None:
    unknown = "Spaceship.v1.example.com"
    assert kube.find_kind(unknown) is None
    assert kube.find_kind("Spaceship.v1.") is None
    with pytest.raises(NotFound, match="does not serve"):
        kube.list(unknown, namespace)
    with pytest.raises(NotFound, match="does not serve"):
        kube.get(unknown, namespace, "x")
    with pytest.raises(ValueError, match=r"nor Name\.version\.group"):
        kube.find_kind("Spaceship")
