"""Updates that fail: back to what ran before, and nothing of them stays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from helmbroker.broker.domain.cluster import HelmStatus, NotReady, Ready
from helmbroker.broker.domain.helm_errors import HelmError, HelmFault
from helmbroker.broker.domain.operation import Aftermath, Phase, aftermath
from helmbroker.broker.store.schema import operations
from helmbroker.durable import State
from tests.fakes.cluster import CLAIM
from tests.fakes.helm import Call
from tests.operations.broker.test_disturbed import Disturbance, clear, disturb
from tests.operations.broker.world import NAMESPACE, RELEASE, World
from tests.operations.harness import Dies, Fault

BACK = "The instance runs again what it ran before."
VOLUME = f"data-{RELEASE.name}-0"
USABLE = Aftermath(usable=True, repeatable=True)


def begin_failing_update(world: World) -> str:
    """The chart's own Job fails, when the release has been changed."""
    world.succeed(world.provision(text="given", pin="c4n4ry"))
    world.succeed(world.bind())
    return world.update(plan="large", text="changed", make="echo broken; exit 1")


def left(world: World, operation: str) -> Aftermath | None:
    return aftermath(world.hand.operation(operation))


def _settled(world: World) -> object:
    """In force, as if nothing were wanted."""
    return (*world.in_force()[:3], None, None)


@pytest.mark.osb(76, 77, 97)
@pytest.mark.bug(17, 42)
@pytest.mark.parametrize("how", Disturbance)
def test_every_command_of_a_failing_update_may_be_disturbed(world: World, how: Disturbance) -> None:
    for number in range(6):
        operation = begin_failing_update(world)
        before = _settled(world)
        disturb(world, number, how)
        end = world.run(operation)
        assert (end.state, world.in_force()) == (State.FAILED, before), (number, end.description)
        assert left(world, operation) == USABLE
        assert end.description.endswith((BACK, "Nothing was changed.")), end.description
        clear(world)


@pytest.mark.osb(77)
@pytest.mark.bug(42)
def test_a_failed_update_is_told_and_undone(world: World) -> None:
    operation = begin_failing_update(world)
    before = _settled(world)
    assert world.fail(operation) == (
        f"A Job of the chart failed: Job {RELEASE.name}-make: broken (exit code 1). Mend the cause, and try again. "
        f"The volume {VOLUME} keeps its new size 9Gi. {BACK}"
    )
    assert (left(world, operation), world.instance().phase) == (USABLE, Phase.UPDATE_FAILED)
    assert world.in_force() == before
    assert world.helm.verbs(RELEASE) == ["deploy", "deploy", "rollback"]
    world.succeed(world.bind("another"))
    world.succeed(world.update(text="better"))
    assert world.cluster.releases[RELEASE].values["text"] == "better"
    assert world.instance().phase is Phase.READY


@pytest.mark.osb(77)
@pytest.mark.bug(17, 42)
def test_a_volume_that_has_grown_stays_so_and_all_else_goes_back(world: World) -> None:
    """Kubernetes lets none shrink, so that `helm rollback` alone ends with a Helm release that has failed."""
    world.succeed(world.provision(text="given"))
    operation = world.update(plan="large", text="changed", make="echo broken; exit 1")
    assert world.fail(operation).endswith(f"The volume {VOLUME} keeps its new size 9Gi. {BACK}")
    release, claim = world.cluster.releases[RELEASE], world.cluster.thing(CLAIM, RELEASE.namespace, VOLUME)
    assert (release.status, release.values["text"], release.values["size"]) == (HelmStatus.DEPLOYED, "given", "1Gi")
    assert claim is not None
    assert claim.content == {"size": "9Gi"}
    assert (left(world, operation), world.instance().return_to) == (USABLE, None)
    world.succeed(world.update(text="better"))


@pytest.mark.osb(76, 77)
@pytest.mark.parametrize("what", [{"refuse": True}, {"text": "x" * 65}], ids=str)
def test_what_the_chart_refuses_changes_nothing_and_need_not_be_repeated(
    world: World, what: dict[str, Any]
) -> None:
    world.succeed(world.provision())
    before = world.in_force()
    operation = world.update(**what)
    assert world.fail(operation).endswith("Nothing was changed.")
    assert left(world, operation) == Aftermath(usable=True, repeatable=False)
    assert world.in_force() == before
    assert world.helm.verbs(RELEASE) == ["deploy"]


@pytest.mark.osb(76, 77)
def test_where_helm_has_changed_nothing_there_is_nothing_to_undo(world: World) -> None:
    world.succeed(world.provision())
    before = world.in_force()
    operation = world.update(text="changed")

    def fail(call: Call) -> None:
        if call.verb == "deploy":
            raise HelmError(HelmFault.FORBIDDEN, "a right is missing")

    world.helm.before = fail
    assert world.fail(operation).endswith("Nothing was changed.")
    assert "rollback" not in world.helm.verbs(RELEASE)
    assert world.in_force() == before


@pytest.mark.osb(77)
@pytest.mark.parametrize("first", [True, False], ids=["in a namespace to be made", "rehearsed"])
def test_a_size_that_is_no_quantity_is_refused_and_need_not_be_repeated(world: World, first: bool) -> None:
    """By the dry run; where there is no namespace yet that could try it, when the first instance is made."""
    if first:
        world.cluster.namespaces.remove(NAMESPACE)
    operation = world.provision(size="a lot")
    told = world.fail(operation)
    assert told.startswith("The cluster refuses an object of the chart: ")
    assert told.endswith("Correct the parameters; else the addon's author has to mend the chart.")
    assert world.hand.operation(operation).attempt == 1
    assert world.helm.verbs(RELEASE) == (["deploy"] if first else [])


@pytest.mark.osb(77)
def test_what_never_becomes_ready_goes_back(world: World) -> None:
    world.succeed(world.provision())
    before = world.in_force()
    operation = world.update(text="changed")
    hopeless = NotReady("image x:1 cannot be pulled", hopeless=True)
    world.cluster.states[RELEASE] = [*[hopeless] * 4, Ready()]
    for later_s in (50.0, 50.0, 50.0, 50.0):
        world.hand.pass_time()
        assert world.hand.turn()
        world.clock.now += later_s
    assert world.hand.operation(operation).description == f"Image x:1 cannot be pulled. {BACK}"
    assert world.in_force() == before


def expire(world: World, seconds: float) -> None:
    """That much of every operation's time is over."""
    with world.store.engine.begin() as conn:
        shift = {name: operations.c[name] - seconds for name in ("created_at", "deadline")}
        conn.execute(operations.update().values(**shift))


@pytest.mark.osb(77, 97)
@pytest.mark.parametrize("passed_s", [601, 7000])
def test_the_way_back_has_its_time_even_when_the_time_is_over(world: World, passed_s: float) -> None:
    """900 s in all; a third of it is for the way back. The broker may have been down for hours."""
    world.succeed(world.provision())
    before = world.in_force()
    operation = world.update(plan="large", text="changed")
    slow = NotReady("pod x is being made")
    world.cluster.states[RELEASE] = [slow, slow, slow, Ready()]

    def die_for_long(call: Call) -> None:
        if call.verb == "deploy":
            expire(world, passed_s)
            raise Dies

    world.helm.after = die_for_long
    reason = world.fail(operation)
    assert reason.startswith(
        "Gave up, as the rest of the time is for the way back; still waiting: pod x is being made."
    )
    assert reason.endswith(BACK)
    assert left(world, operation) == USABLE
    assert world.in_force() == before


@pytest.mark.osb(77, 97)
def test_what_comes_too_late_to_its_turn_changes_nothing(world: World) -> None:
    world.succeed(world.provision())
    before = world.in_force()
    operation = world.update(text="changed")
    expire(world, 599)
    assert world.fail(operation) == ("Gave up: its time was over when its turn came. Nothing was changed.")
    assert left(world, operation) == USABLE
    assert world.in_force() == before
    assert world.helm.verbs(RELEASE) == ["deploy"]


def fail_rollbacks(world: World) -> Callable[[Call], None]:
    def fail(call: Call) -> None:
        if call.verb == "rollback":
            raise HelmError(HelmFault.FORBIDDEN, "a right is missing")

    return fail


@pytest.mark.osb(77)
@pytest.mark.bug(36)
def test_an_update_that_cannot_be_undone_is_told_and_repaired_by_the_next(world: World) -> None:
    operation = begin_failing_update(world)
    before = _settled(world)
    world.helm.before = fail_rollbacks(world)
    reason = world.fail(operation)
    assert "It could not be undone: The broker lacks a right in the cluster: a right is missing." in reason
    assert left(world, operation) == Aftermath(usable=False, repeatable=True)
    refused = world.update(refuse=True)
    world.fail(refused)
    assert left(world, refused) == Aftermath(usable=False, repeatable=False), "it began nothing, and mended nothing"
    # one more that fails: the revision to go back to is not forgotten
    again = world.update(refuse=True)
    world.helm.before = None
    assert world.fail(again).endswith(BACK)
    assert left(world, again) == Aftermath(usable=True, repeatable=False)
    assert world.in_force() == before


@pytest.mark.osb(102, 107)
def test_a_bind_that_waited_for_an_update_which_could_not_be_undone_is_refused(world: World) -> None:
    operation = begin_failing_update(world)
    bind = world.bind("late")
    world.helm.before = fail_rollbacks(world)
    world.fail(operation)
    world.helm.before = None
    assert world.fail(bind).startswith("The service instance cannot be bound (update failed): A Job of the chart")


@pytest.mark.osb(77)
def test_asking_for_what_is_recorded_repairs_what_could_not_be_undone(world: World) -> None:
    operation = begin_failing_update(world)
    world.helm.before = fail_rollbacks(world)
    world.fail(operation)
    world.helm.before = None
    world.succeed(world.update())
    assert world.cluster.releases[RELEASE].values["text"] == "given"
    assert (world.instance().phase, world.instance().return_to) == (Phase.READY, None)


@pytest.mark.osb(77, 97)
@pytest.mark.bug(5)
def test_workers_that_die_again_and_again_on_the_way_leave_attempts_for_the_way_back(world: World) -> None:
    world.succeed(world.provision())
    before = world.in_force()
    operation = world.update(text="changed")
    for _ in range(5):
        world.hand.pass_time()
        ctx = world.hand.claim()
        assert ctx is not None
        ctx.fault = ("await ready", Fault.DIES_BEFORE)
        with pytest.raises(Dies):
            world.hand.worker.perform(ctx)
    assert world.fail(operation).endswith(BACK)
    assert world.in_force() == before


@pytest.mark.osb(77, 97)
def test_attempts_that_are_used_up_on_the_way_back_are_told(world: World) -> None:
    operation = begin_failing_update(world)
    for _ in range(8):
        world.hand.pass_time()
        ctx = world.hand.claim()
        assert ctx is not None
        ctx.fault = ("await return", Fault.DIES_BEFORE)
        with pytest.raises(Dies):
            world.hand.worker.perform(ctx)
    assert world.fail(operation).startswith("gave up after 8 attempts")
    assert left(world, operation) == Aftermath(usable=False, repeatable=True)
    world.succeed(world.update())
