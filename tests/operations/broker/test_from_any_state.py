"""Operations begin on whatever is found: half-made releases, failed ones, and what somebody upgrades by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from helmbroker.broker.domain.cluster import HelmStatus
from helmbroker.broker.domain.helm_errors import HelmError, HelmFault
from helmbroker.broker.domain.naming import ReleaseRef
from tests.fakes.cluster import CLAIM, Thing
from tests.fakes.helm import Call
from tests.operations.broker.states import S, bound, found, provisioned
from tests.operations.broker.world import BINDING_RELEASE, RELEASE, World
from tests.operations.harness import Dies

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
