"""The contract of the port Cluster: what it remembers of records, and of the Secrets of Helm releases."""

from __future__ import annotations

from dataclasses import replace

import pytest

from helmbroker.broker.domain.cluster import RecordSecret
from helmbroker.broker.domain.helm_errors import ClusterRefused, ClusterUnavailable
from helmbroker.broker.domain.naming import ReleaseRef
from helmbroker.catalog import jsonpath
from helmbroker.catalog.references import Ref, RefKind
from tests.contract.test_cluster import World, ref, world
from tests.fakes.cluster import Thing
from tests.fakes.release_secrets import StoredRelease

__all__ = ["ref", "world"]
LABELS = {"helmbroker.io/record": "instance", "helmbroker.io/broker": "b", "helmbroker.io/instance": "i"}


def test_a_record_is_remembered_and_forgotten(world: World, ref: ReleaseRef) -> None:
    cluster = world.cluster
    assert cluster.record(ref) is None
    first = RecordSecret(ref, LABELS, b"\x00\xffsealed", b"packed")
    cluster.keep(first)
    assert cluster.record(ref) == first
    second = RecordSecret(ref, LABELS, b"anew")
    cluster.keep(second)
    other = RecordSecret(replace(ref, name="hb-2"), {**LABELS, "helmbroker.io/instance": "j"}, b"other")
    cluster.keep(other)
    found = cluster.records(ref.namespace, {"helmbroker.io/broker": "b"})
    assert sorted(found, key=lambda each: each.ref.name) == [second, other]
    assert cluster.records(ref.namespace, {"helmbroker.io/broker": "c"}) == []
    cluster.forget(ref.namespace, {"helmbroker.io/broker": "b", "helmbroker.io/instance": "i"})
    assert (cluster.record(ref), cluster.record(other.ref)) == (None, other)
    cluster.forget(ref.namespace, {"helmbroker.io/broker": "b", "helmbroker.io/instance": "i"})


def test_a_record_of_somebody_else_is_neither_written_nor_forgotten(world: World, ref: ReleaseRef) -> None:
    theirs = RecordSecret(ref, {**LABELS, "helmbroker.io/broker": "theirs"}, b"theirs")
    world.cluster.keep(theirs)
    with pytest.raises(ClusterRefused, match="is not this broker's and is left alone"):
        world.cluster.keep(RecordSecret(ref, LABELS, b"ours"))
    world.cluster.forget(ref.namespace, LABELS)
    assert world.cluster.record(ref) == theirs


def test_a_record_is_replaced_only_while_it_is_what_was_read(world: World, ref: ReleaseRef) -> None:
    first, second = RecordSecret(ref, LABELS, b"first", b"packed"), RecordSecret(ref, LABELS, b"second", b"packed")
    with pytest.raises(ClusterUnavailable, match="was changed meanwhile"):
        world.cluster.keep(second, instead_of=first)
    assert world.cluster.record(ref) is None
    world.cluster.keep(first)
    world.cluster.keep(second, instead_of=first)
    with pytest.raises(ClusterUnavailable, match="was changed meanwhile"):
        world.cluster.keep(first, instead_of=first)
    assert world.cluster.record(ref) == second


def test_a_record_needs_its_namespace(world: World, ref: ReleaseRef) -> None:
    with pytest.raises(ClusterRefused, match=r"namespace for instances is not there: .*Make the namespace"):
        world.cluster.keep(RecordSecret(replace(ref, namespace="nowhere"), LABELS, b""))


@pytest.mark.bug(4)
def test_the_secrets_of_a_release_come_back(world: World, ref: ReleaseRef) -> None:
    """Those that it has made, and no others; what is there is left as it is."""
    manifest = [{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}} for name in ("mine", "theirs")]
    world.store(StoredRelease(ref, workloads=manifest))
    mine = Thing("Secret", ref.namespace, "mine", ref.name, ref.name, texts={"password": "s3cret"})
    world.put(mine)
    world.put(Thing("Secret", ref.namespace, "theirs", ref.name, "hb-2", texts={"password": "no"}))
    (made,) = world.cluster.made_secrets(ref)
    assert (made.name, made.type, dict(made.data)) == ("mine", "Opaque", {"password": "czNjcmV0"})
    assert "czNjcmV0" not in repr(made)
    world.cluster.put_back(ref, [replace(made, data={"password": "YW5vdGhlcg=="})])
    assert world.cluster.made_secrets(ref) == [made], "it was there"
    lost = replace(made, name="lost")
    world.cluster.put_back(ref, [lost])
    owners = frozenset({ref.name})
    password = Ref(RefKind.SECRET, "lost", jsonpath.lead("data", "password"))
    assert world.cluster.values(ref.namespace, [password], owners) == {password: "s3cret"}


def test_a_release_that_is_gone_has_made_nothing(world: World, ref: ReleaseRef) -> None:
    assert world.cluster.made_secrets(ref) == []
