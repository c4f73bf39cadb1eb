"""Helm releases in the state in which an operation finds them."""

from __future__ import annotations

from dataclasses import replace

from helmbroker.broker.domain import naming
from helmbroker.broker.domain.cluster import HelmRelease, HelmStatus
from helmbroker.broker.domain.naming import ReleaseRef
from tests.fakes.cluster import CLAIM, Thing
from tests.operations.broker.world import BINDING, BINDING_RELEASE, INSTANCE, RELEASE, World

S = HelmStatus


def found(world: World, ref: ReleaseRef, status: HelmStatus, *, revision: int = 1) -> None:
    """A release of ours, as an operation that was stopped has left it, with what it had made."""
    labels = naming.instance_labels(world.tools.broker_id, INSTANCE)
    if ref == BINDING_RELEASE:
        labels = naming.binding_labels(world.tools.broker_id, INSTANCE, BINDING)
    known = world.cluster.releases.get(ref)
    if known is not None:
        world.cluster.releases[ref] = replace(known, status=status)
        return
    world.cluster.releases[ref] = HelmRelease(ref, revision, status, labels, {})
    if ref == RELEASE:
        world.cluster.put(Thing("Pod", ref.namespace, f"{ref.name}-0", ref.name))
        world.cluster.put(Thing(CLAIM, ref.namespace, f"data-{ref.name}-0", ref.name, texts={"age": "old"}))


def provisioned(world: World) -> None:
    world.succeed(world.provision())


def bound(world: World) -> None:
    provisioned(world)
    world.succeed(world.bind())
