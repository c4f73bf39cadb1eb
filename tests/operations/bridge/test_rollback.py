"""Rollback: a new release equal to an older one, or the last good one again."""

from __future__ import annotations

from pathlib import Path

import pytest

from helmbroker.durable import State
from tests.operations.bridge.world import APP, World
from tests.operations.harness import Case, assert_same_end


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_the_app_goes_back_and_forth(world: World) -> None:
    world.bound()
    back = world.run(world.service.releasing.rollback(APP, 1, "alice").id)
    assert (back.state, back.description) == (State.SUCCEEDED, "The app runs release v3")
    assert world.environment() == {}
    world.run(world.service.releasing.rollback(APP, 2, "alice").id)
    assert sorted(world.environment()) == ["MY_DB_PORT", "MY_DB_URI"]
    assert [state for _, state, _ in world.ledger()] == ["succeeded"] * 4


def test_a_disturbance_anywhere_changes_nothing(tmp_path: Path) -> None:
    def make() -> Case:
        world = World(tmp_path)
        world.bound()
        return world.case(world.service.releasing.rollback(APP, 1, "alice").id)

    assert_same_end(make)


def test_a_release_that_does_not_come_up_is_left_again(world: World) -> None:
    world.bound()
    world.apps._breaks = lambda variables: None if variables else "process type web: DB is not set"
    end = world.run(world.service.releasing.rollback(APP, 1, "alice").id)
    assert end.state is State.FAILED
    assert end.description == "app release v3 failed: process type web: DB is not set"
    assert [state for _, state, _ in world.ledger()] == ["succeeded", "succeeded", "failed", "succeeded"]
    assert sorted(world.environment()) == ["MY_DB_PORT", "MY_DB_URI"]


def test_what_cannot_be_is_told(world: World) -> None:
    world.bound()
    end = world.run(world.service.releasing.rollback(APP, 2, "alice").id)
    assert end.state is State.FAILED
    assert "cannot go back to v2" in end.description
