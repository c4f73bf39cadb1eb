"""The platform side: every operation, disturbed wherever it meets the world, ends as it would have, or cleanly."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from helmbroker.database import connect
from tests.operations.bridge.trials import ELSEWHERE, ROWS, BridgeTrial
from tests.operations.bridge.world import World
from tests.operations.sweep import MOST, assert_survives, disturbances, pairs_of, peace, sample
from tests.postgresql import empty_database, postgresql_url

__all__ = ["postgresql_url"]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def either_world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    if request.param == "sqlite":
        yield World(tmp_path)
        return
    engine = connect(empty_database(request.getfixturevalue("postgresql_url")))
    yield World(tmp_path, engine=engine)
    engine.dispose()


def test_no_kind_of_operation_is_left_out(world: World) -> None:
    assert {row.kind for row in ROWS.values()} | set(ELSEWHERE) == set(world.hand.worker.handlers)


@pytest.mark.parametrize("name", ROWS)
def test_some_disturbances(world: World, name: str) -> None:
    """Always the same ones, so that every change of the code meets a few of each sort within seconds."""
    trial = BridgeTrial(world, ROWS[name])
    calm = peace(trial, ROWS[name].state)
    for one in sample(disturbances(trial, calm.places), 6, name):
        assert_survives(trial, calm, one)


@pytest.mark.sweep
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", ROWS)
def test_disturbances_at_every_place(world: World, name: str) -> None:
    """`make test` tries some of them, `make sweep` all."""
    trial = BridgeTrial(world, ROWS[name])
    calm = peace(trial, ROWS[name].state)
    for one in sample(disturbances(trial, calm.places), MOST, name):
        assert_survives(trial, calm, one)


@pytest.mark.sweep
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", ROWS)
def test_many_disturbances_on_either_database(either_world: World, name: str) -> None:
    """One at a time, and two together."""
    trial = BridgeTrial(either_world, ROWS[name])
    calm = peace(trial, ROWS[name].state)
    every = disturbances(trial, calm.places)
    for one in sample(every, MOST // 3, name):
        assert_survives(trial, calm, one)
    for two in pairs_of(every, min(MOST // 3, 40), name):
        assert_survives(trial, calm, *two)
