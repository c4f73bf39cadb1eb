"""The contract of the port Takeover: on the fake, on KubeTakeover over a fake API server, and on a real cluster."""

from __future__ import annotations

from dataclasses import replace

import pytest

from helmbroker.broker.domain.cluster import HelmStatus
from helmbroker.broker.domain.helm_errors import ClusterUnavailable
from helmbroker.broker.domain.naming import ReleaseRef
from helmbroker.broker.domain.operator_ports import Takeover
from helmbroker.broker.kube.takeover import KubeTakeover
from tests.contract.test_cluster import FakeWorld, KubeWorld, World, ref, world
from tests.fakes.release_secrets import StoredRelease
from tests.fakes.takeover import FakeTakeover

__all__ = ["ref", "world"]
OURS = {"helmbroker.io/broker": "b", "helmbroker.io/instance": "i"}
SERVICE = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "helmbroker-mydb"}}


@pytest.fixture
def takeover(world: World) -> Takeover:
    if isinstance(world, FakeWorld):
        return FakeTakeover(world.cluster, {ReleaseRef(world.namespace, "mydb"): "kind: Service"})
    assert isinstance(world, KubeWorld)
    return KubeTakeover(world.kube)


def test_labels_are_added_to_the_newest_revision_and_nothing_else(
    world: World, ref: ReleaseRef, takeover: Takeover
) -> None:
    mine = replace(ref, name="mydb")
    stored = StoredRelease(mine, 1, HelmStatus.SUPERSEDED, {"theirs": "x"}, {"a": 1}, [SERVICE], client_side=True)
    world.store(stored)
    world.store(replace(stored, revision=2, status=HelmStatus.DEPLOYED))
    before = world.cluster.release(mine)
    assert before is not None
    takeover.claim(before, OURS)
    after = world.cluster.release(mine)
    assert after == replace(before, labels={"theirs": "x", **OURS})
    takeover.claim(after, OURS)
    assert world.cluster.release(mine) == after
    assert "kind: Service" in takeover.manifest(mine)
    assert takeover.manifest(ref) == "", "there is none"


def test_what_was_changed_meanwhile_is_not_taken(world: World, ref: ReleaseRef, takeover: Takeover) -> None:
    world.store(StoredRelease(ref))
    before = world.cluster.release(ref)
    assert before is not None
    world.store(StoredRelease(ref, 2))
    with pytest.raises(ClusterUnavailable, match="was changed meanwhile"):
        takeover.claim(before, OURS)
    after = world.cluster.release(ref)
    assert after is not None
    assert (after.revision, after.labels) == (2, {})
