"""Work that the broker goes on with: for how long, how often, and in spite of what it is looked at (OSB 2.17)."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from helmbroker.controller_bridge.broker_port import BrokerError, Unreachable
from helmbroker.controller_bridge.model import BindingState, InstanceState
from helmbroker.controller_bridge.operations.handlers import handlers
from helmbroker.controller_bridge.operations.work import FAILURE, Pace, Ports
from helmbroker.controller_bridge.store import OPERATIONS
from helmbroker.durable import JSON, State
from tests.fakes.osb_broker import Thing
from tests.operations.bridge.trials import ROWS, Row
from tests.operations.bridge.world import APP, DB, SEALER, World

ALLOWED_S = 660.0
TOLD = (
    "for more than 660 s, which its plan's maximum_polling_duration allows: it counts as failed. Last seen: 999999 "
    "more looks. Try again; if it ends so again, ask the operator of the broker default"
)


def slowly(folder: Path, allowed_s: float | None = None) -> World:
    """A world in which every look is a claim of its own."""
    made = World(folder)
    ports = Ports(made.store, made.brokers, made.apps, SEALER, Pace(6.0, 6.0), 0.0)
    made.hand.worker.handlers = handlers(ports)
    if allowed_s is not None:
        made.broker.allow(allowed_s)
    return made


@pytest.fixture
def world(tmp_path: Path) -> World:
    return slowly(tmp_path, ALLOWED_S)


def create(world: World) -> str:
    return world.create().instance_operation


def turn(world: World, *, times: int = 1) -> None:
    """So many claims, as after restarts of the worker: nothing is remembered but what is stored."""
    for _ in range(times):
        world.hand.pass_time()
        assert world.hand.turn()


def later(world: World, operation_id: str, by_s: float) -> None:
    """Time passes: all times of the operation are so many seconds older."""
    operation = world.hand.operation(operation_id)

    def older(value: JSON) -> JSON:
        if not isinstance(value, dict):
            return [older(each) for each in value] if isinstance(value, list) else value
        moments = {name: value[name] - by_s for name in ("until", "look_at") if name in value}
        return {name: older(each) for name, each in value.items()} | moments

    results = {name: older(value) for name, value in operation.results.items()}
    values = {"created_at": operation.created_at - by_s, "deadline": operation.deadline - by_s, "results": results}
    with world.store.writing() as conn:
        conn.execute(sa.update(OPERATIONS).where(OPERATIONS.c.id == operation_id).values(**values))


def due_in_s(world: World, operation_id: str) -> float:
    """Seconds until the queue gives the operation to a worker."""
    c = OPERATIONS.c
    with world.store.reading() as conn:
        return float(conn.scalar(sa.select(c.run_at).where(c.id == operation_id)) or 0.0) - world.store.now(conn)


def goes_on_for_ever(world: World, method: str) -> None:
    """What that method asks for never ends; all else ends soon."""

    def before(called: str) -> None:
        if called in ("provision", "update", "deprovision", "bind", "unbind"):
            world.broker.looks = 10**6 if called == method else 1

    world.broker.before = before


LASTING = {
    "create": ("provision", "the broker provisions the instance"),
    "update": ("update", "the broker updates the instance"),
    "rotate admin": ("update", "the broker updates the instance"),
    "bind": ("bind", "the broker makes the credentials"),
    "unbind": ("unbind", "the broker removes the credentials"),
    "destroy": ("deprovision", "the broker removes the instance"),
    "rotate": ("bind", "the broker makes the credentials"),
}


@pytest.mark.parametrize("name", LASTING)
def test_after_the_time_of_its_plan_it_has_failed(world: World, name: str) -> None:
    method, doing = LASTING[name]
    operation_id = ROWS[name].begin(world)
    begun = len(world.broker.calls)
    goes_on_for_ever(world, method)
    for _ in range(20):
        if method in world.broker.calls[begun:]:
            break
        turn(world)
    later(world, operation_id, ALLOWED_S - 30)
    turn(world, times=3)
    assert not world.hand.operation(operation_id).state.finished
    later(world, operation_id, 40)
    end = world.run(operation_id)
    assert end.state is State.FAILED
    assert end.description.startswith(f"{doing} for more than 660 s"), end.description


def test_what_was_not_made_in_time_is_removed(world: World) -> None:
    goes_on_for_ever(world, "provision")
    operation_id = create(world)
    turn(world)
    later(world, operation_id, ALLOWED_S + 1)
    world.run(operation_id)
    assert world.message() == f"the broker provisions the instance {TOLD}"
    assert world.states() == (InstanceState.FAILED, BindingState.UNBOUND)
    assert ("deprovision", None) in world.broker.callers
    assert world.broker.instances == {}


def test_credentials_that_were_not_made_in_time_are_removed(world: World) -> None:
    world.created()
    goes_on_for_ever(world, "bind")
    operation_id = str(world.service.bind(APP, DB, "alice").binding_operation)
    turn(world)
    later(world, operation_id, ALLOWED_S + 1)
    world.run(operation_id)
    assert world.states() == (InstanceState.READY, BindingState.FAILED)
    assert ("unbind", None) in world.broker.callers
    assert world.broker.bindings == {}


def test_an_update_that_takes_too_long_leaves_the_instance(world: World) -> None:
    world.created()
    goes_on_for_ever(world, "update")
    operation_id = world.service.update(APP, DB, "postgresql:large", {}, "alice").instance_operation
    turn(world)
    later(world, operation_id, ALLOWED_S + 1)
    world.run(operation_id)
    assert (world.resource().instance, world.resource().plan) == (InstanceState.READY, "small")
    assert "deprovision" not in world.broker.calls


def test_the_last_look_is_taken_when_the_time_is_over(world: World) -> None:
    """Whoever has ended meanwhile has succeeded."""
    goes_on_for_ever(world, "provision")
    operation_id = create(world)
    turn(world)
    later(world, operation_id, ALLOWED_S + 1)
    for thing in world.broker.instances.values():
        thing.looks = 0
    assert world.run(operation_id).state is State.SUCCEEDED


@pytest.mark.parametrize(
    ("longest_s", "after_s", "goes_on"),
    [(7200.0, 7100.0, True), (7200.0, 7300.0, False), (None, 3300.0, True), (None, 3601.0, False)],
)
def test_a_plan_that_allows_more_than_an_hour_gets_it(
    tmp_path: Path, longest_s: float | None, after_s: float, goes_on: bool
) -> None:
    world = slowly(tmp_path, longest_s)
    goes_on_for_ever(world, "provision")
    operation_id = create(world)
    turn(world)
    later(world, operation_id, after_s)
    turn(world)
    assert (FAILURE in world.hand.operation(operation_id).results) is not goes_on


def test_there_is_time_to_remove_what_took_long(tmp_path: Path) -> None:
    """More than an hour after its beginning, as long as the plan allows."""
    world = slowly(tmp_path, 7200.0)
    world.broker.looks = 10**6
    operation_id = create(world)
    turn(world)
    later(world, operation_id, 7201.0)
    turn(world)
    later(world, operation_id, 7100.0)
    turn(world, times=2)
    assert not world.hand.operation(operation_id).state.finished
    assert "the broker removes what it had begun" not in world.message()
    for thing in world.broker.instances.values():
        thing.looks = 0
    assert world.run(operation_id).state is State.FAILED
    assert world.broker.instances == {}


ASKING = {"create": "provision", "update": "update", "rotate admin": "update", "bind": "bind", "rotate": "bind"}


@pytest.mark.parametrize("name", ASKING)
def test_nothing_begins_when_the_time_is_over(tmp_path: Path, name: str) -> None:
    """As after an outage of all workers: the broker would go on with what the bridge has given up."""
    world = slowly(tmp_path)
    operation_id = ROWS[name].begin(world)
    begun, plan = len(world.broker.calls), world.resource().plan
    later(world, operation_id, 4600.0)
    end = world.run(operation_id)
    assert (end.state, end.description) == (State.FAILED, "its time was over when its turn came: try again")
    assert ASKING[name] not in world.broker.calls[begun:]
    assert world.resource().plan == plan


@pytest.mark.parametrize("name", ["rollback", "reinject", "unbind"])
def test_no_app_release_is_made_when_the_time_is_over(tmp_path: Path, name: str) -> None:
    world = slowly(tmp_path)
    operation_id = ROWS[name].begin(world)
    before = world.ledger()
    later(world, operation_id, 1900.0)
    assert world.run(operation_id).description.startswith("its time was over when its turn came: try again")
    assert world.ledger() == before


def test_undoing_has_time_of_its_own(tmp_path: Path) -> None:
    """However late it begins; what cannot be undone even so is told once, beside the first reason."""
    world = slowly(tmp_path)
    world.broker.looks = 10**6
    operation_id = create(world)
    turn(world)
    later(world, operation_id, 3700.0)
    turn(world, times=3)
    assert not world.hand.operation(operation_id).state.finished
    assert "deprovision" in world.broker.calls
    later(world, operation_id, 301.0)
    removing = r"and undoing it failed: it took too long: \d+ more looks"
    assert re.fullmatch(rf"it took too long: 999999 more looks; {removing}", world.run(operation_id).description)


def test_what_others_wait_for_is_not_prolonged(tmp_path: Path) -> None:
    world = slowly(tmp_path, 7200.0)
    world.created()
    goes_on_for_ever(world, "bind")
    operation_id = str(world.service.bind(APP, DB, "alice").binding_operation)
    turn(world)
    later(world, operation_id, 1500.0)
    assert world.run(operation_id).description == "it took too long: 999999 more looks"


NO_ANSWERS: dict[str, Exception] = {
    "a fault": BrokerError(500, "", "it gave no reason"),
    "malformed": BrokerError(200, "MalformedAnswer", "it does not follow OSB: state"),
    "unknown": BrokerError(404, "NotFound", "there is no such instance"),
    "not its login": BrokerError(401, "", "it does not accept the bridge's login"),
    "silence": Unreachable("the broker at b does not answer"),
}


@pytest.mark.parametrize("method", ["create", "update", "bind", "unbind", "destroy"])
@pytest.mark.parametrize("error", NO_ANSWERS.values(), ids=NO_ANSWERS)
def test_what_is_no_answer_is_asked_for_again(world: World, method: str, error: Exception) -> None:
    """OSB, "Polling Last Operation": the platform goes on until it gets one, or the time is over."""
    row: Row = ROWS[method]
    operation_id, left = row.begin(world), iter([True, True])

    def before(called: str) -> None:
        if called in ("instance_status", "binding_status") and next(left, False):
            raise error

    world.broker.before = before
    assert world.run(operation_id).state is State.SUCCEEDED
    assert next(left, None) is None


def test_silence_to_the_end_is_told(world: World) -> None:
    operation_id = create(world)

    def silent(called: str) -> None:
        if called == "instance_status" and "deprovision" not in world.broker.calls:
            raise Unreachable("the broker at b does not answer")

    world.broker.before = silent
    turn(world)
    assert world.message().startswith("the broker at b does not answer; trying again")
    later(world, operation_id, ALLOWED_S + 1)
    world.run(operation_id)
    assert "Last seen: the broker at b does not answer. Try again; if" in world.message()


@pytest.mark.parametrize("name", ["create", "update", "bind"])
def test_410_is_no_answer_of_what_is_made(world: World, name: str) -> None:
    operation_id = ROWS[name].begin(world)
    things: dict[str, Thing] = {}

    def hidden(called: str) -> None:
        found = world.broker.bindings if name == "bind" else world.broker.instances
        if called in ("instance_status", "binding_status") and not things:
            things.update(found)
            found.clear()
        elif things and not found:
            found.update(things)

    world.broker.before = hidden
    assert world.run(operation_id).state is State.SUCCEEDED
    assert things


def test_the_broker_says_when_to_look_and_the_queue_waits(world: World) -> None:
    world.broker.retry_after_s = 120.0
    operation_id = create(world)
    turn(world)
    assert "instance_status" not in world.broker.calls, "the first look is not due"
    assert due_in_s(world, operation_id) == pytest.approx(120, abs=10)
    turn(world)
    assert "instance_status" not in world.broker.calls, "though a worker came by"
    later(world, operation_id, 121.0)
    turn(world)
    assert world.broker.calls.count("instance_status") == 1
    assert due_in_s(world, operation_id) == pytest.approx(120, abs=10)
    assert world.hand.operation(operation_id).state is State.QUEUED


def test_no_pause_goes_beyond_the_time_of_the_plan(world: World) -> None:
    world.broker.retry_after_s = 86400.0
    operation_id = create(world)
    turn(world)
    assert due_in_s(world, operation_id) == pytest.approx(ALLOWED_S, abs=10)
    later(world, operation_id, 300.0)
    turn(world)
    assert due_in_s(world, operation_id) == pytest.approx(ALLOWED_S - 300.0, abs=10)


def away(after_s: float) -> Callable[[str], None]:
    def before(called: str) -> None:
        if called in ("provision", "bind", "instance_status"):
            raise Unreachable("the broker at b cannot answer now (HTTP 503)", after_s=after_s)

    return before


def test_who_cannot_answer_now_says_when(world: World) -> None:
    operation_id = create(world)
    world.broker.before = away(90.0)
    turn(world)
    assert due_in_s(world, operation_id) == pytest.approx(90, abs=10)
    assert "trying again" in world.message()
    world.broker.before = away(0.0)
    turn(world)
    assert due_in_s(world, operation_id) == pytest.approx(5, abs=4)


def test_no_pause_uses_up_the_time_for_undoing(world: World) -> None:
    operation_id = create(world)
    world.broker.before = away(86400.0)
    turn(world)
    assert due_in_s(world, operation_id) == pytest.approx(3600 - 120, abs=10)


def test_an_operation_of_a_release_before_has_no_times(world: World) -> None:
    """What it has asked for ends with the operation's own time."""
    goes_on_for_ever(world, "provision")
    operation_id = create(world)
    turn(world)
    older = {
        **world.hand.operation(operation_id).results,
        "provision": {"pending": True, "operation": "op-provision"},
    }
    with world.store.writing() as conn:
        conn.execute(sa.update(OPERATIONS).where(OPERATIONS.c.id == operation_id).values(results=older))
    world.shorten(operation_id, to_s=3600.0)
    later(world, operation_id, 3300.0)
    turn(world)
    assert world.resource().instance is InstanceState.PROVISIONING
    later(world, operation_id, 200.0)
    assert world.run(operation_id).description == "it took too long: 999998 more looks"
