"""A month of a bridge's schedules: nothing is left out, nothing is done twice, nothing piles up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from helmbroker.controller_bridge.model import Kind, Schedule
from helmbroker.controller_bridge.operations.finish import on_finish
from helmbroker.controller_bridge.retention import forget_old
from helmbroker.controller_bridge.rotation import rotate_due
from helmbroker.controller_bridge.store import OPERATIONS
from helmbroker.database import connect
from helmbroker.durable import Handler, State
from tests.operations.bridge.world import APP, DB, World
from tests.operations.harness import LEASE_S, Hand
from tests.operations.month import DAY_S, HOUR_S, DatabaseClock, Month

KEEP_S = 7.25 * DAY_S  # no operation ends at a slot so long before another one
LOOK_S = 12 * HOUR_S  # between two runs of a schedule in a month that is to take seconds
KINDS = (Schedule.RETENTION, Schedule.ROTATION)


@pytest.fixture
def clock() -> DatabaseClock:
    return DatabaseClock()


@pytest.fixture
def world(tmp_path: Path, clock: DatabaseClock) -> World:
    engine = connect(f"sqlite:///{tmp_path / 'bridge.db'}")

    clock.rule(engine)
    return World(tmp_path, engine=engine)


def start(world: World, clock: DatabaseClock, periods: dict[str, float]) -> Month:
    """Starts the worker of `wiring.run_worker` over Kubernetes."""
    store = world.store
    schedules: dict[str, Handler] = {
        Schedule.RETENTION: forget_old(store.engine, KEEP_S),
        Schedule.ROTATION: rotate_due(world.service, store, 4),
    }

    def hand(**options: Any) -> Hand:
        all_of_them = {**world.hand.worker.handlers, **schedules}
        return Hand(store.engine, OPERATIONS, all_of_them, on_finish=on_finish(store), **options)

    return Month(clock, hand, periods)


def test_schedules_of_a_month(world: World, clock: DatabaseClock) -> None:
    """Every day credentials are rotated, and a bound resource comes and goes."""
    world.bound()
    world.service.schedule_rotation(APP, DB, DAY_S - 4 * HOUR_S)  # due when the schedule looks next: once a day
    month = start(world, clock, dict.fromkeys(KINDS, LOOK_S))

    def live(day: int) -> None:
        name = f"of-day-{day}"
        world.create(name)
        month.pass_time(HOUR_S)
        world.service.bind(APP, name, "alice")
        month.pass_time(HOUR_S)
        world.service.unbind(APP, name, "alice")
        month.pass_time(HOUR_S)
        world.service.destroy(APP, name, "alice")
        month.pass_time(DAY_S - 3 * HOUR_S)

    killed = month.live(live, dies=12, sleeps=16, sleeps_s=8 * HOUR_S)
    for kind in KINDS:
        late = [LEASE_S, 8 * HOUR_S - LEASE_S] if kind == killed else [8 * HOUR_S]
        assert (len(month.ran[kind]), month.late(kind)) == (31 * DAY_S / LOOK_S, late), kind
    done = {Kind.CREATE: 31, Kind.BIND: 31, Kind.UNBIND: 31, Kind.DESTROY: 31, Kind.ROTATE: 30}
    assert month.ended == {(kind, State.SUCCEEDED): number for kind, number in done.items()}
    assert month.told[Schedule.ROTATION] == {
        "no credentials are due to be replaced",
        "1 resources get new credentials",
    }
    assert len(world.broker.bindings) == 1, "the old ones are revoked"
