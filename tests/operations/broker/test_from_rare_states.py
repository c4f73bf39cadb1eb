"""Operations begin on what hardly ever happens: an unreadable release, revisions lost, a namespace that goes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from helmbroker.broker.domain import naming
from helmbroker.broker.domain.cluster import HelmStatus
from helmbroker.broker.domain.naming import ReleaseRef
from helmbroker.broker.domain.operation import Phase
from tests.fakes.cluster import CLAIM, Thing
from tests.fakes.helm import Call
from tests.operations.broker.world import BINDING_RELEASE, BROKER, INSTANCE, NAMESPACE, RELEASE, World

UNREADABLE = (
    f"The Helm release {RELEASE.name} in namespace {NAMESPACE} cannot be read: the Secret of its revision 1 is "
    "damaged. Ask the operator: `helmbroker doctor --repair` makes it anew."
)
GOES = "The namespace for instances is being deleted, and takes in nothing new"


def damaged(world: World, ref: ReleaseRef) -> None:
    """Somebody has edited the release's Secret, or it was cut short. Its labels say still whose it is."""
    known = world.cluster.releases[ref]
    world.cluster.releases[ref] = replace(known, status=HelmStatus.UNREADABLE, values={})


def bound(world: World) -> None:
    world.succeed(world.provision())
    world.succeed(world.bind())


@pytest.mark.parametrize("begin", [lambda world: world.update(text="new"), World.bind], ids=["update", "bind"])
def test_what_cannot_be_read_is_not_changed(world: World, begin: Callable[[World], str]) -> None:
    world.succeed(world.provision())
    damaged(world, RELEASE)
    before = world.cluster.all()
    assert UNREADABLE in world.fail(begin(world))
    assert (world.cluster.all(), world.helm.verbs(RELEASE)) == (before, ["deploy"])


@pytest.mark.osb(87)
def test_what_cannot_be_read_is_deleted_wholly(world: World) -> None:
    """Helm does not see such a release, and would leave its objects and the release itself."""
    bound(world)
    damaged(world, RELEASE)
    damaged(world, BINDING_RELEASE)
    world.cluster.remove("Pod", NAMESPACE, f"{RELEASE.name}-0")  # with its StatefulSet
    end = world.succeed(world.deprovision())
    assert end.description == (
        "ledger is deleted; its Helm release could not be read, so the chart's own clean-up was left out"
    )
    assert (world.cluster.releases, world.cluster.all()) == ({}, [])
    assert world.instance().phase is Phase.GONE


def test_a_user_is_not_taken_for_dropped_by_a_release_that_cannot_be_read(world: World) -> None:
    bound(world)
    damaged(world, BINDING_RELEASE)
    reason = world.fail(world.unbind())
    assert reason.startswith(f"The Helm release {BINDING_RELEASE.name} in namespace {NAMESPACE} cannot be read")
    assert BINDING_RELEASE in world.cluster.releases
    world.succeed(world.deprovision())


def test_an_attempt_that_cannot_be_read_is_begun_anew(world: World) -> None:
    """Of a provision that is tried again: nobody has put anything into its volumes."""
    operation, labels = world.provision(), naming.instance_labels(BROKER, INSTANCE)
    world.helm.leave_half_way(Call("deploy", RELEASE, labels=labels))
    damaged(world, RELEASE)
    name = f"data-{RELEASE.name}-0"
    world.cluster.put(Thing(CLAIM, RELEASE.namespace, name, RELEASE.name, texts={"age": "old"}))
    world.succeed(operation)
    assert world.helm.verbs(RELEASE) == ["uninstall", "deploy"]
    claim = world.cluster.thing(CLAIM, RELEASE.namespace, name)
    assert claim is not None
    assert claim.texts == {}


def test_a_half_made_change_with_nothing_to_go_back_to(world: World) -> None:
    """Its earlier revisions were deleted by hand: Helm can neither roll back nor upgrade."""
    world.succeed(world.provision())
    world.helm.leave_half_way(Call("deploy", RELEASE))
    world.helm.forget_earlier(RELEASE)
    assert world.fail(world.update(text="new")).startswith(
        "No revision of the Helm release is left that Helm could begin from: release has no 1 version. "
        "Ask the operator: `helm history` shows what is left of it."
    )
    world.succeed(world.deprovision())
    assert (world.cluster.releases, world.cluster.all()) == ({}, [])


def test_nothing_is_made_in_a_namespace_that_goes(world: World) -> None:
    world.cluster.terminating.add(NAMESPACE)
    assert world.fail(world.provision()) == f"{GOES}. Wait until it is gone, and try again."
    world.succeed(world.deprovision())
    assert (world.cluster.releases, world.cluster.all()) == ({}, [])


def test_a_namespace_that_begins_to_go_while_an_instance_is_made(world: World) -> None:
    operation = world.provision()
    world.helm.before = lambda call: world.cluster.terminating.add(NAMESPACE) if call.verb == "deploy" else None
    assert world.fail(operation).startswith(f"{GOES}: because it is being terminated. Wait until it is gone")
    world.succeed(world.deprovision())
    assert (world.cluster.releases, world.cluster.all()) == ({}, [])


def test_what_is_in_a_namespace_that_goes_is_unbound_and_deleted(world: World) -> None:
    bound(world)
    world.cluster.terminating.add(NAMESPACE)
    world.succeed(world.unbind())
    world.succeed(world.deprovision())
    assert (world.cluster.releases, world.cluster.all()) == ({}, [])
