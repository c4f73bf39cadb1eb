"""Every operation ends the same, whatever happens on the way."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

import pytest

from helmbroker.broker.domain.helm_errors import HelmError, HelmFault
from helmbroker.broker.domain.operation import Phase
from helmbroker.durable import State
from tests.fakes.helm import Call
from tests.operations.broker.world import INSTANCE, World
from tests.operations.harness import Dies


def begin_provision(world: World) -> str:
    return world.provision(text="given", pin="c4n4ry")


def begin_bind(world: World) -> str:
    world.succeed(begin_provision(world))
    return world.bind(pin="c4n4ry")


def begin_unbind(world: World) -> str:
    world.succeed(begin_bind(world))
    return world.unbind()


def begin_update(world: World) -> str:
    world.succeed(begin_bind(world))
    return world.update(plan="large", text="changed", pin="c4n4ry-2")


def begin_deprovision(world: World) -> str:
    world.succeed(begin_bind(world))
    return world.deprovision()


def begin_deprovision_after_failure(world: World) -> str:
    world.fail(world.provision(make="echo broken; exit 1"))
    return world.deprovision()


BEGIN: dict[str, Callable[[World], str]] = {
    "provision": begin_provision,
    "bind": begin_bind,
    "unbind": begin_unbind,
    "update": begin_update,
    "deprovision": begin_deprovision,
    "deprovision after failure": begin_deprovision_after_failure,
}


class Disturbance(StrEnum):
    """What becomes of one command to helm."""

    WORKER_DIES_BEFORE = "the worker dies before it"
    WORKER_DIES_AFTER = "the worker dies after it"
    BOTH_DIE = "helm dies with the worker, half-way"
    HELM_KILLED = "helm is killed, half-way"
    NO_ANSWER = "the cluster does not answer"
    ANSWER_LOST = "it has its effect, but the answer is lost"


def disturb(world: World, number: int, how: Disturbance) -> None:
    """Let the command of that number, counted from now, meet the disturbance, once."""
    left = number

    def counted(call: Call, *, moment: str) -> None:
        nonlocal left
        if moment == "before":
            left -= 1
        if left != -1:
            return
        match how, moment:
            case Disturbance.WORKER_DIES_BEFORE, "before":
                left = -2
                raise Dies
            case Disturbance.BOTH_DIE, "before":
                left = -2
                world.helm.leave_half_way(call)
                raise Dies
            case Disturbance.HELM_KILLED, "before":
                left = -2
                world.helm.leave_half_way(call)
                raise HelmError(HelmFault.STOPPED, "it was ended by SIGKILL")
            case Disturbance.NO_ANSWER, "before":
                left = -2
                raise HelmError(HelmFault.UNREACHABLE, "connection refused")
            case Disturbance.WORKER_DIES_AFTER, "after":
                left = -2
                raise Dies
            case Disturbance.ANSWER_LOST, "after":
                left = -2
                raise HelmError(HelmFault.UNREACHABLE, "connection lost")

    world.helm.before = lambda call: counted(call, moment="before")
    world.helm.after = lambda call: counted(call, moment="after")


@pytest.mark.bug(17)
@pytest.mark.parametrize("how", Disturbance)
@pytest.mark.parametrize("name", BEGIN)
def test_every_command_to_helm_may_be_disturbed(world: World, name: str, how: Disturbance) -> None:
    """Wherever helm or its worker is killed, the operation goes on by itself and ends the same."""
    expected, commands = in_peace(world, name)
    for number in range(commands):
        operation = BEGIN[name](world)
        disturb(world, number, how)
        end = world.run(operation)
        assert (end.state, world.observe()) == (State.SUCCEEDED, expected), (number, end.description)
        clear(world)


def in_peace(world: World, name: str) -> tuple[object, int]:
    """What the operation leads to, and how many commands it gives to helm."""
    operation = BEGIN[name](world)
    so_far = len(world.helm.calls)
    world.succeed(operation)
    found = world.observe(), len(world.helm.calls) - so_far
    clear(world)
    return found


def clear(world: World) -> None:
    """Remove the instance, for the next round."""
    world.helm.before = world.helm.after = None
    with world.store.read() as records:
        record = records.instance(INSTANCE)
    if record is not None and record.phase is not Phase.GONE:
        world.succeed(world.deprovision())
    assert (world.cluster.all(), world.cluster.releases, world.cluster.kept) == ([], {}, {})


@pytest.mark.parametrize("name", BEGIN)
def test_the_cluster_may_be_away_at_first(world: World, name: str) -> None:
    operation = BEGIN[name](world)
    world.cluster.down = True
    assert world.hand.turn()
    waiting = world.hand.operation(operation)
    assert waiting.state is State.QUEUED
    assert "nobody is at home" in waiting.description
    world.cluster.down = False
    assert world.run(operation).state is State.SUCCEEDED


@pytest.mark.parametrize("name", BEGIN)
def test_an_outage_costs_no_attempt(world: World, name: str) -> None:
    """However long it takes, as long as the operation has time."""
    operation = BEGIN[name](world)
    world.cluster.down = True
    for _ in range(50):
        world.hand.pass_time()
        world.hand.turn()
    waiting = world.hand.operation(operation)
    assert (waiting.state, waiting.attempt) == (State.QUEUED, 0)
    assert "nobody is at home" in waiting.description
    world.cluster.down = False
    assert world.succeed(operation).attempt == 1


@pytest.mark.parametrize("name", BEGIN)
def test_a_cluster_that_stays_away_is_told(world: World, name: str) -> None:
    operation = BEGIN[name](world)
    world.cluster.down = True
    for _ in range(3):
        world.hand.pass_time()
        world.hand.turn()
    world.time_is_over()
    reason = world.fail(operation)
    if name == "update":
        assert reason.startswith("Gave up: its time was over when its turn came. It could not be undone: ")
    else:
        assert reason.startswith("gave up after 1 s, still waiting: The cluster can")
    assert "nobody is at home" in reason
