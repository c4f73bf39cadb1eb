"""Rotations that nobody asks for: when they are due, by whose clock, and how many go on at a time."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

import pytest
import sqlalchemy as sa

from helmbroker.controller_bridge.apps.port import AppReleaseError
from helmbroker.controller_bridge.model import BindingState, Kind, Resource, Schedule
from helmbroker.controller_bridge.rotation import rotate_due
from helmbroker.controller_bridge.store import OPERATIONS
from helmbroker.database import connect
from helmbroker.durable import State
from tests.operations.bridge.world import APP, DB, World
from tests.operations.harness import Hand

DAY_S = 86400.0
NONE = "no credentials are due to be replaced"


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def pass_schedule(world: World, at_once: int = 4) -> str:
    """The schedule runs; what it says."""
    handler = rotate_due(world.service, world.store, at_once)
    hand = Hand(world.store.engine, OPERATIONS, {Schedule.ROTATION: handler})
    with world.store.writing() as conn:
        hand.queue.schedule(conn, Schedule.ROTATION, 60.0)
    hand.pass_time()
    assert hand.turn()
    return hand.operation("schedule:rotation").description


def make_due(world: World, name: str = DB, since_s: float = 1.0) -> None:
    with world.store.writing() as conn:
        world.store.change(conn, world.resource(name).uuid, rotate_at=time.time() - since_s)


def several_due(world: World, number: int) -> list[str]:
    """Bound resources whose credentials are due; their names, in the order in which they became so."""
    names = [f"db-{each}" for each in range(number)]
    for each, name in enumerate(names):
        world.bound(name)
        make_due(world, name, since_s=100.0 - each)
    return names


def rotating(world: World, names: list[str]) -> list[str]:
    return [name for name in names if world.resource(name).binding is BindingState.ROTATING]


def finished(world: World, name: str) -> Resource:
    """Its rotation has ended well."""
    assert world.run(world.resource(name).binding_operation).state is State.SUCCEEDED
    return world.resource(name)


@pytest.fixture
def ahead(tmp_path: Path) -> World:
    """A world whose database has a clock that is ten days ahead of the workers'."""
    engine = connect(f"sqlite:///{tmp_path / 'ahead.db'}")

    def ten_days_on(connection: sqlite3.Connection, _record: object) -> None:
        connection.create_function("julianday", 1, lambda _now: time.time() / DAY_S + 2440587.5 + 10)

    sa.event.listen(engine, "connect", ten_days_on)
    return World(tmp_path, engine=engine)


def test_a_schedule_rotates_once_when_it_is_due(world: World) -> None:
    world.bound()
    row = world.service.schedule_rotation(APP, DB, DAY_S)
    assert row.rotate_at == pytest.approx(time.time() + DAY_S, abs=60)
    assert pass_schedule(world) == NONE
    make_due(world)
    assert pass_schedule(world) == "1 resources get new credentials"
    assert pass_schedule(world) == NONE
    operation = world.resource().binding_operation
    assert world.hand.operation(str(operation)).kind == Kind.ROTATE
    assert world.run(operation).state is State.SUCCEEDED
    assert world.resource().rotate_at == pytest.approx(time.time() + DAY_S, abs=60)
    assert world.service.schedule_rotation(APP, DB, None).rotate_at is None


def test_a_scheduled_rotation_that_fails_is_tried_again_an_hour_later(world: World) -> None:
    world.bound()
    world.service.schedule_rotation(APP, DB, DAY_S)
    make_due(world)
    world.broker.fails["bind"] = "no more users"
    pass_schedule(world)
    assert world.run(world.resource().binding_operation).state is State.FAILED
    assert world.resource().rotate_at == pytest.approx(time.time() + 3600.0, abs=60)


def test_credentials_that_expire_are_due_when_the_broker_says_so(world: World) -> None:
    world.broker.renew_before = time.time() + 2 * DAY_S
    assert world.bound().rotate_at == pytest.approx(world.broker.renew_before)
    assert world.service.schedule_rotation(APP, DB, DAY_S).rotate_at == pytest.approx(time.time() + DAY_S, abs=60)
    assert world.service.schedule_rotation(APP, DB, None).rotate_at == pytest.approx(world.broker.renew_before)
    make_due(world)
    world.broker.renew_before = time.time() + 9 * DAY_S
    pass_schedule(world)
    world.run(world.resource().binding_operation)
    assert world.resource().rotate_at == pytest.approx(world.broker.renew_before)


def test_a_wish_of_before_counts_from_the_bind_on(world: World) -> None:
    world.created()
    world.service.schedule_rotation(APP, DB, DAY_S)
    make_due(world)
    assert pass_schedule(world) == NONE, "there are none"
    world.run(world.service.bind(APP, DB, "alice").binding_operation)
    assert world.resource().rotate_at == pytest.approx(time.time() + DAY_S, abs=60)


def test_it_is_the_databases_clock_that_says_what_is_due(ahead: World) -> None:
    ahead.bound()
    wished = ahead.service.schedule_rotation(APP, DB, DAY_S)
    assert wished.rotate_at == pytest.approx(time.time() + 11 * DAY_S, abs=60)
    make_due(ahead, since_s=-9 * DAY_S)  # to come by the worker's clock, past by that of the database
    assert pass_schedule(ahead) == "1 resources get new credentials"
    assert finished(ahead, DB).rotate_at == pytest.approx(time.time() + 11 * DAY_S, abs=60)
    make_due(ahead, since_s=-9 * DAY_S)
    ahead.broker.fails["bind"] = "no more users"
    pass_schedule(ahead)
    ahead.run(ahead.resource().binding_operation)
    assert ahead.resource().rotate_at == pytest.approx(time.time() + 10 * DAY_S + 3600.0, abs=60)


def test_what_is_due_together_is_rotated_a_few_at_a_time_the_oldest_first(world: World) -> None:
    names = several_due(world, 5)
    assert pass_schedule(world, at_once=2) == "2 resources get new credentials, 3 wait: 2 rotations go on at a time"
    assert rotating(world, names) == names[:2]
    assert pass_schedule(world, at_once=2) == "0 resources get new credentials, 3 wait: 2 rotations go on at a time"
    finished(world, names[0])
    assert pass_schedule(world, at_once=2) == "1 resources get new credentials, 2 wait: 2 rotations go on at a time"
    assert rotating(world, names) == names[1:3]
    for name in names[1:3]:
        finished(world, name)
    assert pass_schedule(world, at_once=2) == "2 resources get new credentials"
    assert rotating(world, names) == names[3:]


def test_rotations_that_users_have_asked_for_count_as_well_and_never_wait(world: World) -> None:
    due = several_due(world, 2)
    asked = ["one", "two", "three"]
    for name in asked:
        world.bound(name)
    for name in asked:
        world.service.rotate(APP, name, "alice")
    assert pass_schedule(world, at_once=2) == "0 resources get new credentials, 2 wait: 2 rotations go on at a time"
    assert rotating(world, due + asked) == asked
    for name in asked:
        finished(world, name)
    assert pass_schedule(world, at_once=2) == "2 resources get new credentials"


def test_resources_that_are_gone_take_no_place(world: World) -> None:
    names = several_due(world, 2)
    with world.store.writing() as conn:
        world.store.change(conn, world.resource(names[0]).uuid, binding=BindingState.ROTATING)
        world.store.delete(conn, world.resource(names[0]).uuid)
    assert pass_schedule(world, at_once=1) == "1 resources get new credentials"


def pass_hours(world: World, hours: float) -> None:
    """Since the resource's last operation has ended."""
    t = OPERATIONS.c
    with world.store.writing() as conn:
        of_db = t.id == world.resource().binding_operation
        conn.execute(sa.update(OPERATIONS).where(of_db).values(finished_at=t.finished_at - hours * 3600.0))


def left(world: World) -> str:
    """A rotation whose old credentials could not be revoked; their binding."""
    old = world.bound().binding_id
    world.service.schedule_rotation(APP, DB, DAY_S)
    make_due(world)
    world.broker.fails["unbind"] = "the user owns tables"
    pass_schedule(world)
    assert world.run(world.resource().binding_operation).state is State.FAILED
    return str(old)


def test_old_credentials_that_stay_are_revoked_later_without_another_rotation(world: World) -> None:
    old = left(world)
    after = world.resource()
    assert after.rotate_at == pytest.approx(time.time() + DAY_S, abs=60), "the app has new credentials"
    assert after.other_bindings == (old,)
    assert pass_schedule(world) == NONE
    releases, binds = world.ledger(), world.broker.calls.count("bind")
    for pause_h in (1, 2, 4):
        pass_hours(world, pause_h - 0.1)
        assert pass_schedule(world) == NONE, "the pauses grow"
        pass_hours(world, 0.2)
        assert pass_schedule(world) == "the old ones of 1 resources are revoked once more"
        assert world.run(world.resource().binding_operation).state is State.FAILED
        assert world.resource().other_bindings == (old,)
        assert world.message().startswith("the old credentials could not be revoked: the user owns tables. ")
    world.broker.fails.clear()
    pass_hours(world, 24)
    pass_schedule(world)
    assert world.run(world.resource().binding_operation).state is State.SUCCEEDED
    assert (world.resource().bindings, len(world.broker.bindings)) == ((after.binding_id,), 1)
    assert (world.resource().binding, world.message()) == (BindingState.READY, "The old credentials are revoked")
    assert world.resource().rotate_at == after.rotate_at
    assert (world.ledger(), world.broker.calls.count("bind")) == (releases, binds)
    pass_hours(world, 48)
    assert pass_schedule(world) == NONE


def test_what_the_app_may_still_run_with_is_not_revoked_by_the_schedule(world: World) -> None:
    old = world.bound().binding_id
    world.broker.credentials_of = lambda id_: {"uri": f"postgres://{id_}", "port": 5432 if id_ == old else 666}

    def refuse(method: str, _app: str) -> None:
        if method == "recover":
            raise AppReleaseError("the namespace is being deleted")

    world.apps.before = refuse
    world.run(world.service.rotate(APP, DB, "alice").binding_operation)
    assert len(world.resource().other_bindings) == 1
    pass_hours(world, 48)
    assert pass_schedule(world) == NONE
