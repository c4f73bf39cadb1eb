"""Under a controller: what makes releases, disturbed at every request too, ends as it would have, or cleanly."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.operations.bridge.drycc_world import DryccWorld
from tests.operations.bridge.trials import ROWS, BridgeTrial
from tests.operations.course import Moment
from tests.operations.sweep import MOST, How, assert_survives, disturbances, pairs_of, peace, sample

RELEASING = (
    "bind",
    "bind, destroyed meanwhile",
    "broken bind",
    "update",
    "unbind",
    "rotate",
    "rotate, at once meanwhile",
    "broken rotate",
    "rotate at once",
    "rollback",
    "reinject",
    "broken reinject",
    "update, external",
    "rotate, external",
)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[DryccWorld]:
    found = DryccWorld(tmp_path)
    yield found
    found.close()


@pytest.mark.parametrize("name", RELEASING)
def test_some_disturbances(world: DryccWorld, name: str) -> None:
    """Always the same ones."""
    trial = BridgeTrial(world, ROWS[name])
    calm = peace(trial, ROWS[name].state)
    for one in sample(disturbances(trial, calm.places), 3, name):
        assert_survives(trial, calm, one)


@pytest.mark.parametrize("how", [How.DIES, How.AWAY])
@pytest.mark.parametrize("name", ["bind", "broken bind", "unbind", "rotate", "reinject"])
def test_what_was_asked_for_and_not_heard_of_is_found(world: DryccWorld, name: str, how: How) -> None:
    """It dies after the 201, or the answer is lost: at each request that changes something."""
    trial = BridgeTrial(world, ROWS[name])
    calm = peace(trial, ROWS[name].state)
    changing = ("controller.change", "controller.roll_back")
    places = [one for one in calm.places if one.what in changing and one.moment is Moment.AFTER]
    assert places
    for place in places:
        assert_survives(trial, calm, (place, how))


@pytest.mark.sweep
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", RELEASING)
def test_disturbances_at_every_place(world: DryccWorld, name: str) -> None:
    """`make test` tries some of them, `make sweep` all; one at a time, and two together."""
    trial = BridgeTrial(world, ROWS[name])
    calm = peace(trial, ROWS[name].state)
    every = disturbances(trial, calm.places)
    for one in sample(every, MOST, name):
        assert_survives(trial, calm, one)
    for two in pairs_of(every, min(MOST // 3, 40), name):
        assert_survives(trial, calm, *two)
