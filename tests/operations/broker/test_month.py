"""A month of a broker's schedules: nothing is left out, nothing is done twice, nothing piles up."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from helmbroker.broker.domain.credentials import Parameters
from helmbroker.broker.domain.operation import Kind, Phase, Schedule
from helmbroker.broker.domain.requests import BindRequest, DeprovisionRequest, ProvisionRequest
from helmbroker.broker.service import Expiry
from helmbroker.broker.service.drift import DriftCheck
from helmbroker.broker.service.refresh import Refresh
from helmbroker.broker.settings import Settings
from helmbroker.broker.store.retention import Retention
from helmbroker.broker.store.schema import operations
from helmbroker.broker.worker import PERIODS_S, checked, handlers, refreshed, scheduled
from helmbroker.catalog.sources.model import Source, SourceKind, Sources
from helmbroker.durable import State
from tests.fakes.survey import FakeSurvey
from tests.operations.broker.world import ADDON, BINDING, INSTANCE, KEYS, NAMESPACE, World
from tests.operations.harness import LEASE_S, Hand
from tests.operations.month import DAY_S, HOUR_S, DatabaseClock, Month

KEEP_S = 7.25 * DAY_S  # no operation ends at a slot so long before another one
LOOK_S = 12 * HOUR_S  # between two runs of a schedule in a month that is to take seconds
BRIEF = next(plan for plan in ADDON.plans if plan.name == "brief")
PERIODS = {
    **PERIODS_S,
    Schedule.DRIFT: Settings.model_fields["drift_check_s"].default,
    Schedule.CATALOG: Settings.model_fields["catalog_refresh_s"].default,
}


@pytest.fixture
def start(world: World, tmp_path: Path) -> Callable[..., Month]:
    """Starts the worker of `wiring.run_worker`, whose schedules have at least `least_s` seconds between runs."""
    clock, store = DatabaseClock(), world.store
    clock.rule(store.engine)
    source = Source("ours", SourceKind.DIRECTORY, str(ADDON.folder.parent))
    check = DriftCheck(store, world.cluster, FakeSurvey(world.cluster), KEYS, NAMESPACE)
    all_of_them = (
        handlers(store, world.tools)
        | scheduled(Expiry(store, world.revisions), Retention(store.engine, KEEP_S).forget_old)
        | checked(check)
        | refreshed(Refresh(store, lambda: Sources((source,)), tmp_path / "sources"))
    )

    def begin(least_s: float = 0.0) -> Month:
        def hand(**options: Any) -> Hand:
            return Hand(store.engine, operations, all_of_them, on_finish=store.ended, **options)

        return Month(clock, hand, {kind: max(every_s, least_s) for kind, every_s in PERIODS.items()})

    return begin


def bind(world: World, binding_id: str) -> None:
    asked = BindRequest(INSTANCE, binding_id, ADDON.id, BRIEF.id, None, Parameters({}), {}, accepts_incomplete=True)
    world.service.bind(asked)


@pytest.mark.bug(60)
def test_schedules_of_a_month(world: World, start: Callable[..., Month]) -> None:
    """Every day a binding expires, and an instance comes and goes."""
    month = start(least_s=LOOK_S)
    world.provision(plan="brief")

    def live(day: int) -> None:
        name = f"instance of day {day}"
        asked = ProvisionRequest(
            name, ADDON.id, BRIEF.id, "org", "space", Parameters({}), {}, None, accepts_incomplete=True
        )
        world.service.provision(asked)
        month.pass_time(HOUR_S)
        bind(world, f"binding of day {day}")
        month.pass_time(HOUR_S)
        world.service.deprovision(DeprovisionRequest(name, accepts_incomplete=True))
        month.pass_time(DAY_S - 2 * HOUR_S)

    killed = month.live(live, dies=12, sleeps=16, sleeps_s=8 * HOUR_S)
    for kind in Schedule:
        late = [LEASE_S, 8 * HOUR_S - LEASE_S] if kind == killed else [8 * HOUR_S]
        assert (len(month.ran[kind]), month.late(kind)) == (31 * DAY_S / LOOK_S, late), kind
    done = {Kind.PROVISION: 32, Kind.DEPROVISION: 31, Kind.BIND: 31, Kind.UNBIND: 31}
    assert month.ended == {(kind, State.SUCCEEDED): number for kind, number in done.items()}
    assert month.told[Schedule.DRIFT] == {"records and cluster agree"}
    assert month.told[Schedule.EXPIRY] == {"nothing has expired", "1 bindings have expired and are being revoked"}


def test_schedules_of_some_minutes_as_often_as_they_are(world: World, start: Callable[..., Month]) -> None:
    month = start()
    world.provision(plan="brief")
    month.pass_time(300.0)
    bind(world, BINDING)
    month.pass_time(55.0)  # of the minute that the plan gives it
    bound = world.binding()
    month.pass_time(25.0)
    revoked = world.binding()
    assert bound is not None
    assert revoked is not None
    assert (bound.phase, revoked.phase) == (Phase.READY, Phase.GONE)
    month.pass_time(820.0)
    gaps = {kind: month.gaps(kind) for kind in Schedule}
    assert gaps == {"expiry": [10] * 119, "catalog": [600], "drift": [], "retention": []}
    assert {len(month.ran[kind]) for kind in (Schedule.DRIFT, Schedule.RETENTION)} == {1}
