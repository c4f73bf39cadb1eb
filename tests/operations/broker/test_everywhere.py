"""Every operation of the broker, disturbed wherever it meets the world, ends as it would have, or cleanly."""

from __future__ import annotations

import pytest

from tests.operations.broker.trials import ELSEWHERE, ROWS, BrokerTrial
from tests.operations.broker.world import World
from tests.operations.sweep import MOST, assert_survives, disturbances, pairs_of, peace, sample


def test_no_kind_of_operation_is_left_out(world: World) -> None:
    assert {row.kind for row in ROWS.values()} | set(ELSEWHERE) == set(world.hand.worker.handlers)


@pytest.mark.osb(76, 77, 83, 97)
@pytest.mark.bug(5, 15, 17, 42)
@pytest.mark.parametrize("name", ROWS)
def test_some_disturbances(world: World, name: str) -> None:
    """Always the same ones, so that every change of the code meets a few of each sort within seconds."""
    trial = BrokerTrial(world, ROWS[name])
    calm = peace(trial, ROWS[name].state)
    for one in sample(disturbances(trial, calm.places), 6, name):
        assert_survives(trial, calm, one)


@pytest.mark.sweep
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", ROWS)
def test_disturbances_at_every_place(world: World, name: str) -> None:
    """`make test` tries some of them, `make sweep` all."""
    trial = BrokerTrial(world, ROWS[name])
    calm = peace(trial, ROWS[name].state)
    for one in sample(disturbances(trial, calm.places), MOST, name):
        assert_survives(trial, calm, one)


@pytest.mark.sweep
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", ROWS)
def test_many_disturbances_on_either_database(either_world: World, name: str) -> None:
    """One at a time, and two together."""
    trial = BrokerTrial(either_world, ROWS[name])
    calm = peace(trial, ROWS[name].state)
    every = disturbances(trial, calm.places)
    for one in sample(every, MOST // 3, name):
        assert_survives(trial, calm, one)
    for two in pairs_of(every, min(MOST // 3, 40), name):
        assert_survives(trial, calm, *two)
