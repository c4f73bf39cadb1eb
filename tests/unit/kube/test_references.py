"""References over a fake API server: what templates see of objects, and how few requests that takes."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from helmbroker.broker.domain.cluster import NotReady
from helmbroker.broker.kube.cluster import KubeCluster
from helmbroker.broker.kube.served import Served
from helmbroker.catalog import jsonpath
from helmbroker.catalog.model import JSON
from helmbroker.catalog.references import Ref, RefKind
from tests.fakes.kube import FakeKube

NAMESPACE = "instances"
OWNERS = frozenset({"hb-1", "hb-1-b"})


@pytest.fixture
def kube() -> FakeKube:
    return FakeKube(NAMESPACE)


def put(kube: FakeKube, kind: str, name: str = "hb-1", *, release: str = "hb-1", **content: Any) -> None:
    """As Helm makes it of a chart that labels as charts do."""
    labels = {"app.kubernetes.io/managed-by": "Helm", "app.kubernetes.io/instance": release}
    metadata = {
        "name": name,
        "namespace": NAMESPACE,
        "labels": labels,
        "annotations": {"meta.helm.sh/release-name": release},
    }
    kube.create({"apiVersion": "v1", "kind": kind, "metadata": metadata, **content})


def at(kind: RefKind, path: str, name: str = "hb-1") -> Ref:
    return Ref(kind, name, jsonpath.parse(path))


def value(kube: FakeKube, ref: Ref) -> JSON | NotReady:
    return KubeCluster(kube).values(NAMESPACE, [ref], OWNERS)[ref]


@pytest.mark.bug(32)
def test_what_is_no_text_is_marked(kube: FakeKube) -> None:
    raw = b"\xff\xfe\x00"
    encoded = base64.b64encode(raw).decode()
    put(kube, "Secret", data={"raw": encoded, "text": base64.b64encode(b"base64").decode()})
    put(kube, "ConfigMap", data={"text": "x"}, binaryData={"raw": encoded})
    for kind, text in ((RefKind.SECRET, "base64"), (RefKind.CONFIG_MAP, "x")):
        found = value(kube, at(kind, "{.data.raw}"))
        assert found == f"base64:{encoded}"
        assert base64.b64decode(str(found).removeprefix("base64:")) == raw
        assert value(kube, at(kind, "{.data.text}")) == text


@pytest.mark.bug(34)
@pytest.mark.parametrize("ingress", [{"ip": "192.0.2.1"}, {"hostname": "lb.example.org"}])
@pytest.mark.parametrize("field", ["ip", "hostname"])
def test_a_load_balancer_has_an_ip_or_a_name(kube: FakeKube, ingress: dict[str, str], field: str) -> None:
    """Whichever the cloud gives: the template asks for an address."""
    put(kube, "Service", spec={"type": "LoadBalancer"})
    address = at(RefKind.SERVICE, f"{{ .status.loadBalancer.ingress[*].{field} }}")
    before = value(kube, address)
    kube.set_status("Service", NAMESPACE, "hb-1", {"loadBalancer": {"ingress": [ingress]}})
    assert (isinstance(before, NotReady), value(kube, address)) == (True, *ingress.values())


@pytest.mark.bug(34)
def test_a_headless_service_is_reached_by_its_name(kube: FakeKube) -> None:
    put(kube, "Service", spec={"clusterIP": "None"})
    assert value(kube, at(RefKind.SERVICE, "{ .spec.clusterIP }")) == f"hb-1.{NAMESPACE}.svc"


def test_a_service_of_another_type_has_no_load_balancer_to_wait_for(kube: FakeKube) -> None:
    put(kube, "Service", spec={"type": "ClusterIP"})
    found = value(kube, at(RefKind.SERVICE, "{ .status.loadBalancer.ingress[*].ip }"))
    assert found == NotReady("Service hb-1 has nothing at { .status.loadBalancer.ingress[*].ip }", hopeless=True)


@pytest.mark.bug(39)
def test_one_request_for_each_kind_however_many_references(kube: FakeKube) -> None:
    """Of many instances, of which only this one's objects are fetched."""
    for release in ("hb-1", "hb-1-b", "hb-2", "hb-3"):
        for number in range(5):
            name, data = f"{release}-{number}", {"key": base64.b64encode(b"x").decode()}
            put(kube, "Secret", name, release=release, data=data)
            put(kube, "Service", name, release=release, spec={"clusterIP": f"10.0.0.{number}"})
            put(kube, "ConfigMap", name, release=release, data={"key": "x"})
    kinds = {RefKind.SECRET: "{.data.key}", RefKind.CONFIG_MAP: "{.data.key}", RefKind.SERVICE: "{.spec.clusterIP}"}
    refs = [at(kind, path, f"hb-1-{number}") for kind, path in kinds.items() for number in range(5)]
    refs += [at(RefKind.SECRET, "{.data.key}", "hb-1-b-0")]
    kube.calls.clear()
    found = KubeCluster(kube).values(NAMESPACE, refs, OWNERS)
    assert len(found) == 16
    assert not any(isinstance(each, NotReady) for each in found.values())
    assert [(verb, kind) for verb, kind, _, _ in kube.calls] == [("list", str(kind)) for kind in kinds]


def test_no_request_for_no_reference(kube: FakeKube) -> None:
    assert KubeCluster(kube).values(NAMESPACE, [], OWNERS) == {}
    assert kube.calls == []


def test_an_object_without_labels_is_fetched_once(kube: FakeKube) -> None:
    metadata = {"name": "x", "namespace": NAMESPACE, "annotations": {"meta.helm.sh/release-name": "hb-1"}}
    kube.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"a": "1", "b": "2"}})
    kube.calls.clear()
    refs = [at(RefKind.CONFIG_MAP, "{.data.a}", "x"), at(RefKind.CONFIG_MAP, "{.data.b}", "x")]
    assert list(KubeCluster(kube).values(NAMESPACE, refs, OWNERS).values()) == ["1", "2"]
    assert [verb for verb, *_ in kube.calls] == ["list", "get"]


def test_what_is_served_is_asked_for_now_and_then(kube: FakeKube) -> None:
    now = 0.0
    served = Served(kube, lambda: now)
    first = served.capabilities()
    assert served.capabilities() is first
    assert len(kube.calls) == 2
    now = 301.0
    assert served.capabilities() == first
    assert len(kube.calls) == 4
