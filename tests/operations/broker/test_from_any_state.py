"""Operations begin on whatever is found: half-made releases, failed ones, and those of somebody else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from helmbroker.audit import Outcome
from helmbroker.broker.domain import naming
from helmbroker.broker.domain.cluster import HelmRelease, HelmStatus
from helmbroker.broker.domain.helm_errors import HelmError, HelmFault
from helmbroker.broker.domain.naming import ReleaseRef
from helmbroker.broker.domain.operation import Phase
from tests.fakes.cluster import CLAIM, Thing
from tests.fakes.helm import Call
from tests.operations.broker.world import BINDING, BINDING_RELEASE, INSTANCE, RELEASE, World
from tests.operations.harness import Dies

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


FRESH = ["uninstall", "deploy"]
OVER = ["deploy"]


@pytest.mark.bug(17)
@pytest.mark.parametrize(
    ("status", "verbs"),
    [
        (S.PENDING_INSTALL, FRESH),
        (S.UNINSTALLING, FRESH),
        (S.FAILED, OVER),
        (S.DEPLOYED, OVER),
        (S.UNINSTALLED, OVER),
        (S.SUPERSEDED, OVER),
    ],
)
def test_provision_from_every_status(world: World, status: HelmStatus, verbs: list[str]) -> None:
    operation = world.provision()
    found(world, RELEASE, status)
    world.succeed(operation)
    assert world.helm.verbs(RELEASE) == verbs
    assert world.cluster.releases[RELEASE].status is S.DEPLOYED


def test_what_was_half_changed_is_rolled_back_first(world: World) -> None:
    """A bind that failed, was tried again, and whose helm was killed in the upgrade, and then in the rollback."""
    provisioned(world)
    world.helm.after = raise_once(world, HelmError(HelmFault.HOOK, "a Job failed"), "deploy")
    world.fail(world.bind())
    found(world, BINDING_RELEASE, S.FAILED)
    killed: list[str] = []

    def kill(call: Call) -> None:
        if call.verb != "render" and call.verb not in killed:
            killed.append(call.verb)
            world.helm.leave_half_way(call)
            raise Dies

    world.helm.before = kill
    world.succeed(world.bind())
    assert world.helm.verbs(BINDING_RELEASE) == ["deploy", "deploy", "rollback", "rollback", "deploy"]


def raise_once(world: World, error: Exception, verb: str) -> Callable[[Call], None]:
    def once(call: Call) -> None:
        if call.verb == verb:
            world.helm.after = None
            raise error

    return once


@pytest.mark.parametrize(("plan", "texts"), [("small", {}), ("keeper", {"age": "old"})])
def test_volumes_of_a_half_made_instance_go_unless_the_plan_keeps_them(
    world: World, plan: str, texts: dict[str, str]
) -> None:
    """The new attempt makes new passwords; a volume that knows the old ones would be of no use."""
    operation = world.provision(plan=plan)
    found(world, RELEASE, S.PENDING_INSTALL)
    world.succeed(operation)
    claim = world.cluster.thing(CLAIM, RELEASE.namespace, f"data-{RELEASE.name}-0")
    assert claim is not None
    assert claim.texts == texts


def test_what_is_left_of_a_predecessor_is_waited_for(world: World) -> None:
    operation = world.provision()
    pod = Thing("Pod", RELEASE.namespace, f"{RELEASE.name}-0", RELEASE.name, texts={"age": "old"})
    world.cluster.put(pod)
    world.cluster.leaving[(pod.kind, pod.namespace, pod.name)] = 1
    there: dict[str, bool] = {}

    def look(call: Call) -> None:
        there[call.verb] = world.cluster.thing(pod.kind, pod.namespace, pod.name) is not None

    world.helm.before = look
    world.succeed(operation)
    assert there == {"render": True, "deploy": False}


@pytest.mark.parametrize("dies_at", range(5))
def test_who_dies_while_removing_what_is_half_made_is_followed_by_one_who_ends_it(
    world: World, dies_at: int
) -> None:
    """The release goes last: without it nobody could tell a volume that is to go from one kept on purpose."""
    operation = world.provision()
    found(world, RELEASE, S.PENDING_INSTALL)
    for kind, name in (("Job", "make"), (CLAIM, "data")):
        world.cluster.put(Thing(kind, RELEASE.namespace, name, RELEASE.name, texts={"age": "old"}))
    removals = 0

    def dies() -> None:
        nonlocal removals
        removals += 1
        if removals == dies_at + 1:
            raise Dies

    def at_helm(call: Call) -> None:
        if call.verb == "uninstall":
            dies()

    world.cluster.before_removal, world.helm.before, world.helm.after = dies, at_helm, at_helm
    world.succeed(operation)
    assert removals > dies_at
    assert [thing for thing in world.cluster.all() if thing.texts.get("age") == "old" or thing.kind == "Job"] == []


@pytest.mark.osb(87)
@pytest.mark.bug(63, 64)
@pytest.mark.parametrize(
    "status",
    [S.DEPLOYED, S.FAILED, S.PENDING_INSTALL, S.PENDING_UPGRADE, S.PENDING_ROLLBACK, S.UNINSTALLING, S.UNKNOWN],
)
def test_deprovision_from_every_status(world: World, status: HelmStatus) -> None:
    bound(world)
    found(world, RELEASE, status)
    found(world, BINDING_RELEASE, status)
    world.succeed(world.deprovision())
    assert (world.cluster.releases, world.cluster.all()) == ({}, [])


@pytest.mark.osb(115)
@pytest.mark.parametrize(
    "status", [S.DEPLOYED, S.FAILED, S.PENDING_INSTALL, S.PENDING_UPGRADE, S.PENDING_ROLLBACK, S.UNINSTALLING]
)
def test_unbind_from_every_status_drops_the_user(world: World, status: HelmStatus) -> None:
    bound(world)
    found(world, BINDING_RELEASE, status)
    world.succeed(world.unbind())
    assert BINDING_RELEASE not in world.cluster.releases
    assert [call.hooks for call in world.helm.calls if call.verb == "uninstall"] == [True]
    assert RELEASE in world.cluster.releases


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


def queued_deprovision(world: World) -> None:
    world.provision()


def failed_provision(world: World) -> None:
    world.fail(world.provision(make="echo broken; exit 1"))


def ready_with_failed_bind(world: World) -> None:
    provisioned(world)
    world.fail(world.bind(make="echo broken; exit 1"))


def ready_with_queued_bind(world: World) -> None:
    provisioned(world)
    world.bind()


def failed_unbind(world: World) -> None:
    provisioned(world)
    world.succeed(world.bind(drop="echo broken; exit 1"))
    world.fail(world.unbind())


def failed_deprovision(world: World) -> None:
    bound(world)
    world.cluster.down = True
    operation = world.deprovision()
    world.time_is_over()
    world.fail(operation)
    world.cluster.down = False


@pytest.mark.osb(85, 87, 115)
@pytest.mark.bug(28, 63)
@pytest.mark.parametrize(
    "begin",
    [
        queued_deprovision,
        failed_provision,
        provisioned,
        bound,
        ready_with_failed_bind,
        ready_with_queued_bind,
        failed_unbind,
        failed_deprovision,
    ],
)
def test_deprovision_from_every_phase_leaves_nothing(world: World, begin: Callable[[World], None]) -> None:
    begin(world)
    end = world.succeed(world.deprovision())
    assert end.description == "ledger is deleted"
    assert (world.cluster.releases, world.cluster.all()) == ({}, [])
    assert world.instance().phase is Phase.GONE
    assert world.binding() is None


@pytest.mark.osb(82)
@pytest.mark.bug(64)
def test_deleted_twice_is_deleted_once(world: World) -> None:
    bound(world)
    first = world.deprovision()
    assert world.deprovision() == first
    world.succeed(first)
    assert world.helm.verbs(RELEASE) == ["deploy", "uninstall"]


GONE_ASK = "The Helm release of the service instance is gone from the cluster. Ask the operator."
HALF = {S.PENDING_UPGRADE: "deploy", S.PENDING_ROLLBACK: "rollback"}
UPDATES = {
    S.DEPLOYED: ["deploy"],
    S.FAILED: ["deploy"],
    S.SUPERSEDED: ["deploy"],
    S.PENDING_UPGRADE: ["rollback", "deploy"],
    S.PENDING_ROLLBACK: ["rollback", "deploy"],
    S.PENDING_INSTALL: None,
    S.UNINSTALLING: None,
}


@pytest.mark.bug(17)
@pytest.mark.parametrize("status", UPDATES)
def test_update_from_every_status(world: World, status: HelmStatus) -> None:
    """What was half changed goes back first; what is half gone is not made anew over volumes that may be lost."""
    provisioned(world)
    world.succeed(world.update(text="one"))
    if status in HALF:
        world.helm.leave_half_way(Call(HALF[status], RELEASE))
    else:
        found(world, RELEASE, status)
    before = len(world.helm.verbs(RELEASE))
    operation, verbs = world.update(text="two"), UPDATES[status]
    if verbs is None:
        assert GONE_ASK in world.fail(operation)
    else:
        world.succeed(operation)
        assert world.helm.verbs(RELEASE)[before:] == verbs
        assert world.cluster.releases[RELEASE].values["text"] == "two"
    world.succeed(world.deprovision())
    assert (world.cluster.releases, world.cluster.all()) == ({}, [])


BINDS = {
    S.DEPLOYED: ["deploy"],
    S.FAILED: ["deploy"],
    S.UNINSTALLED: ["deploy"],
    S.SUPERSEDED: ["deploy"],
    S.PENDING_INSTALL: ["uninstall", "deploy"],
    S.UNINSTALLING: ["uninstall", "deploy"],
}


@pytest.mark.bug(17)
@pytest.mark.parametrize("status", BINDS)
def test_bind_from_every_status(world: World, status: HelmStatus) -> None:
    provisioned(world)
    operation = world.bind()
    found(world, BINDING_RELEASE, status)
    world.succeed(operation)
    assert world.helm.verbs(BINDING_RELEASE) == BINDS[status]


def by_hand(world: World, ref: ReleaseRef) -> None:
    """A person runs `helm upgrade` on a release of ours, at this moment."""
    current = world.cluster.releases[ref]
    half = replace(current, revision=current.revision + 1, status=S.PENDING_UPGRADE, by_others=True)
    world.helm.leave_half_way(Call("deploy", ref))
    world.cluster.releases[ref] = half


@pytest.mark.parametrize("kind", ["update", "deprovision", "unbind", "deprovision with a binding"])
@pytest.mark.parametrize("ends", [True, False])
def test_who_upgrades_by_hand_is_waited_for_and_then_helped_out(world: World, kind: str, ends: bool) -> None:
    """A helm that is not ours may still run: it is not worked against. If it was killed, nobody waits for ever."""
    bound(world)
    ref = RELEASE if kind in {"update", "deprovision"} else BINDING_RELEASE
    by_hand(world, ref)
    operation = {"update": lambda: world.update(text="x"), "unbind": world.unbind}.get(kind, world.deprovision)()
    before = len(world.helm.verbs(ref))
    for _ in range(4):
        assert world.hand.turn()
        world.hand.pass_time()
        world.clock.now += 30
    assert world.helm.verbs(ref)[before:] == []
    told = world.hand.operation(operation).description
    assert told.startswith(f"somebody else is upgrading the Helm release {ref.name} (revision 2)"), told
    if ends:
        world.cluster.releases[ref] = replace(world.cluster.releases[ref], status=S.DEPLOYED)
    world.succeed(operation)
    verbs = world.helm.verbs(ref)[before:]
    assert ("rollback" in verbs) == (kind == "update" and not ends)
