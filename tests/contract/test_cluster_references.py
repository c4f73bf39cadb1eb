"""The contract of the port Cluster: what references of credentials templates find. See test_cluster.py."""

from __future__ import annotations

import pytest

from helmbroker.broker.domain.cluster import NotReady
from helmbroker.broker.domain.helm_errors import ClusterRefused
from helmbroker.broker.domain.naming import ReleaseRef
from helmbroker.catalog import jsonpath
from helmbroker.catalog.model import JSON
from helmbroker.catalog.references import Ref, RefKind
from tests.contract.test_cluster import World, ref, world
from tests.fakes.cluster import Thing

__all__ = ["ref", "world"]

OWNERS = frozenset({"hb-1", "hb-1-b"})
HOLDERS = (RefKind.SECRET, RefKind.CONFIG_MAP)


def key(kind: RefKind, name: str) -> Ref:
    return Ref(kind, "hb-1", jsonpath.lead("data", name))


def found(world: World, refs: list[Ref]) -> list[JSON | NotReady]:
    answers = world.cluster.values(world.namespace, refs, OWNERS)
    return [answers[each] for each in refs]


@pytest.mark.bug(32)
@pytest.mark.parametrize("kind", HOLDERS)
def test_texts_are_as_they_are(world: World, ref: ReleaseRef, kind: RefKind) -> None:
    """By key, by path, in the middle of a text, and all together; an empty one is a value."""
    texts = {"password": "s3cret \u00fc <>&\"'\\\n", "empty": "", "ca.crt": "PEM"}
    world.put(Thing(kind, ref.namespace, "hb-1", "hb-1", owner="hb-1", texts=texts))
    paths = ["{ .data.password }", r"{.data.ca\.crt}", "x:{.data.empty}:{.data.ca\\.crt}", "{.data}"]
    refs = [key(kind, name) for name in texts] + [Ref(kind, "hb-1", jsonpath.parse(path)) for path in paths]
    assert found(world, refs) == [*texts.values(), texts["password"], "PEM", "x::PEM", texts]


@pytest.mark.bug(32)
def test_what_is_not_there_is_said(world: World, ref: ReleaseRef) -> None:
    world.put(Thing("Secret", ref.namespace, "hb-1", "hb-1", owner="hb-1", texts={"a": "b"}))
    refs = [key(RefKind.SECRET, "a"), key(RefKind.SECRET, "absent"), key(RefKind.CONFIG_MAP, "a")]
    assert found(world, refs) == [
        "b",
        NotReady("Secret hb-1 has nothing at {.data.absent}", hopeless=True),
        NotReady("ConfigMap hb-1 is not there", hopeless=True),
    ]


def test_a_service_is_asked_by_path(world: World, ref: ReleaseRef) -> None:
    ports = [{"name": name, "port": port, "protocol": "TCP"} for name, port in (("http", 80), ("https", 443))]
    world.put(Thing("Service", ref.namespace, "hb-1", "hb-1", owner="hb-1", content={"spec": {"ports": ports}}))
    path = jsonpath.parse("{.spec.ports[*].port}")
    refs = [
        Ref(RefKind.SERVICE, "hb-1", jsonpath.parse(' { .spec.ports[?(@.name=="https")].port }')),
        Ref(RefKind.SERVICE, "hb-1", path, every=True),
        Ref(RefKind.SERVICE, "hb-1", path),
        Ref(RefKind.SERVICE, "hb-1", jsonpath.parse('{.spec.ports[?(@.name=="amqp")].port}')),
    ]
    *values, missing = found(world, refs)
    assert values == [443, [80, 443], 80]
    assert missing == NotReady('Service hb-1 has nothing at {.spec.ports[?(@.name=="amqp")].port}', hopeless=True)


@pytest.mark.bug(34)
def test_an_address_that_is_not_there_yet_is_waited_for(world: World, ref: ReleaseRef) -> None:
    spec = {"type": "LoadBalancer", "ports": [{"port": 80, "protocol": "TCP"}]}
    world.put(Thing("Service", ref.namespace, "hb-1", "hb-1", owner="hb-1", content={"spec": spec}))
    address = Ref(RefKind.SERVICE, "hb-1", jsonpath.parse("{ .status.loadBalancer.ingress[*].ip }"))
    reason = "Service hb-1 has no address yet: its load balancer is being made"
    assert found(world, [address]) == [NotReady(reason, hopeless=False)]


@pytest.mark.bug(4, 57)
@pytest.mark.parametrize("label", [None, "hb-1"])
@pytest.mark.parametrize("owner", [None, "hb-2"])
def test_objects_of_others_are_refused(world: World, ref: ReleaseRef, owner: str | None, label: str | None) -> None:
    """A template reads what its own releases made, whatever name is rendered into it, and whatever its label is."""
    world.put(Thing("Secret", ref.namespace, "theirs", label, owner=owner, texts={"password": "c4n4ry"}))
    theirs = Ref(RefKind.SECRET, "theirs", jsonpath.lead("data", "password"))
    with pytest.raises(ClusterRefused, match="which its Helm releases did not make") as caught:
        world.cluster.values(ref.namespace, [theirs], OWNERS)
    assert "c4n4ry" not in str(caught.value)


def test_what_the_chart_has_not_labelled_is_found(world: World, ref: ReleaseRef) -> None:
    world.put(Thing("Secret", ref.namespace, "hb-1", owner="hb-1-b", texts={"a": "b"}))
    assert found(world, [key(RefKind.SECRET, "a")]) == ["b"]


@pytest.mark.bug(35)
def test_what_the_cluster_serves_is_known(world: World) -> None:
    served = world.cluster.capabilities()
    assert served.kube_version.startswith("v1.")
    assert {"v1", "apps/v1"} <= set(served.api_versions)
