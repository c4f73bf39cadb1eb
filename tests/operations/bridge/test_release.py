"""A release that was made at the API: watched, left again when it does not come up, and never left alone."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from helmbroker.controller_bridge.apps.port import AppsUnavailable
from helmbroker.controller_bridge.operations.release import WRITTEN_S
from helmbroker.durable import State
from tests.operations.bridge.trials import release
from tests.operations.bridge.world import APP, World
from tests.operations.harness import Case, assert_same_end


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_it_is_watched(world: World) -> None:
    end = world.run(release(world))
    assert (end.state, end.description) == (State.SUCCEEDED, "The app runs release v2")
    assert world.apps.apps[APP].images == {"web": "shop:2"}


def test_a_disturbance_anywhere_changes_nothing(tmp_path: Path) -> None:
    def make() -> Case:
        world = World(tmp_path)
        return world.case(release(world))

    assert_same_end(make)


def test_what_does_not_come_up_is_left_again(world: World) -> None:
    end = world.run(release(world, image="missing:1"))
    assert end.state is State.FAILED
    assert end.description == "app release v2 failed: process type web: image missing:1 cannot be pulled"
    assert [state for _, state, _ in world.ledger()] == ["succeeded", "failed", "succeeded"]


def test_a_request_that_died_is_not_waited_for_for_ever(world: World) -> None:
    """Its operation is there, its release is not."""

    def die(_key: str) -> int | None:
        raise AppsUnavailable("killed")

    with pytest.raises(AppsUnavailable):
        world.service.releasing.begin(world.apps, APP, "alice", die)
    with world.store.writing() as conn:
        conn.execute(sa.text("UPDATE operations SET created_at = created_at - :late"), {"late": WRITTEN_S})
        found = conn.exec_driver_sql("SELECT id FROM operations").scalar_one()
    end = world.run(str(found))
    assert end.state is State.FAILED
    assert end.description == "the request that asked for a release has ended before one was written: ask again"
    assert world.ledger() == []
