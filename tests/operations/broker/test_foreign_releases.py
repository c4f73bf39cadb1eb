"""What has our name and is somebody else's, or is gone, is neither taken nor removed."""

from __future__ import annotations

import pytest

from helmbroker.audit import Outcome
from helmbroker.broker.domain import naming
from helmbroker.broker.domain.cluster import HelmRelease
from helmbroker.broker.domain.naming import ReleaseRef
from helmbroker.broker.domain.operation import Phase
from tests.fakes.cluster import CLAIM, Thing
from tests.operations.broker.states import S, bound, found, provisioned
from tests.operations.broker.world import BINDING, BINDING_RELEASE, INSTANCE, RELEASE, World


def foreign(world: World, ref: ReleaseRef) -> tuple[HelmRelease, list[Thing]]:
    """Somebody else's release under our name, with all that belongs to it."""
    release = HelmRelease(ref, 3, S.DEPLOYED, {"team": "other"}, {})
    world.cluster.releases[ref] = release
    for kind in ("Secret", "Pod", CLAIM, "Job"):
        world.cluster.put(Thing(kind, ref.namespace, f"{ref.name}-theirs", ref.name, ref.name))
    return release, world.cluster.all()


NOT_OURS = "is not this broker's and is left alone"


@pytest.mark.bug(54)
def test_a_foreign_release_fails_a_provision_and_survives_its_deletion(world: World) -> None:
    """The platform's clean-up after the failure must not destroy what is not ours."""
    theirs, things = foreign(world, RELEASE)
    assert NOT_OURS in world.fail(world.provision())
    end = world.succeed(world.deprovision())
    assert end.description == (
        f"ledger is deleted; the Helm release {RELEASE.name} in namespace instances {NOT_OURS}"
    )
    assert world.cluster.releases == {RELEASE: theirs}
    assert world.cluster.all() == things
    assert world.helm.verbs(RELEASE) == []
    assert world.instance().phase is Phase.GONE


def test_a_foreign_release_fails_a_bind_and_survives_its_unbind(world: World) -> None:
    provisioned(world)
    theirs, _ = foreign(world, BINDING_RELEASE)
    assert NOT_OURS in world.fail(world.bind())
    world.succeed(world.unbind())
    assert world.cluster.releases[BINDING_RELEASE] == theirs
    assert world.cluster.thing("Job", BINDING_RELEASE.namespace, f"{BINDING_RELEASE.name}-theirs") is not None
    assert world.helm.verbs(BINDING_RELEASE) == []
    world.succeed(world.deprovision())
    assert world.cluster.releases == {BINDING_RELEASE: theirs}


def test_a_release_of_another_broker_is_foreign(world: World) -> None:
    """The same instance id, a database that was begun anew."""
    labels = naming.instance_labels("another-broker", INSTANCE)
    theirs = HelmRelease(RELEASE, 1, S.DEPLOYED, labels, {})
    world.cluster.releases[RELEASE] = theirs
    assert NOT_OURS in world.fail(world.provision())
    world.succeed(world.deprovision())
    assert world.cluster.releases == {RELEASE: theirs}


def test_an_instance_that_becomes_foreign_is_not_bound(world: World) -> None:
    provisioned(world)
    foreign(world, RELEASE)
    assert NOT_OURS in world.fail(world.bind())


def test_an_instance_whose_release_is_gone_is_not_bound(world: World) -> None:
    provisioned(world)
    del world.cluster.releases[RELEASE]
    reason = world.fail(world.bind())
    assert reason == "The Helm release of the service instance is gone from the cluster. Ask the operator."


@pytest.mark.bug(64)
def test_a_binding_of_an_instance_that_is_gone_can_be_unbound(world: World) -> None:
    """No server is left that could drop anybody."""
    bound(world)
    del world.cluster.releases[RELEASE]
    found(world, BINDING_RELEASE, S.DEPLOYED)
    assert unbound_in_doubt(world) == "the service instance has no server that could be asked"
    assert [call.hooks for call in world.helm.calls if call.verb == "uninstall"] == [False]


def unbound_in_doubt(world: World) -> str:
    """Why nobody knows whether the credentials are refused: as the platform is told, and the audit says too."""
    end = world.succeed(world.unbind())
    (told,) = [entry.event for entry in world.store.entries() if entry.event.action == "revoke"]
    assert (told.outcome, told.instance_id, told.binding_id, told.operation_id) == (
        Outcome.FAILED,
        INSTANCE,
        BINDING,
        end.id,
    )
    assert end.description == f"the binding is gone; {told.detail['reason']}"
    begin, _, why = str(told.detail["reason"]).partition(": ")
    assert begin == "whether its credentials are refused could not be checked"
    return why


def test_a_user_is_not_taken_for_dropped_when_its_release_is_gone(world: World) -> None:
    """Somebody has removed it by hand, perhaps without its Job."""
    bound(world)
    del world.cluster.releases[BINDING_RELEASE]
    assert unbound_in_doubt(world) == "the Helm release that made their user is gone"


def test_a_user_is_not_taken_for_dropped_when_its_release_is_somebody_elses(world: World) -> None:
    bound(world)
    foreign(world, BINDING_RELEASE)
    assert unbound_in_doubt(world).endswith(NOT_OURS)


def test_a_bind_that_delivered_nothing_leaves_nothing_in_doubt(world: World) -> None:
    provisioned(world)
    foreign(world, RELEASE)
    world.fail(world.bind())
    assert world.succeed(world.unbind()).description == "the credentials are revoked"
