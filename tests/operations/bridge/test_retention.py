"""What has ended long ago is forgotten; what users can still see is not."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from helmbroker.controller_bridge.model import Schedule
from helmbroker.controller_bridge.retention import forget_old
from helmbroker.controller_bridge.store import OPERATIONS, RESOURCES
from tests.operations.bridge.world import APP, DB, World
from tests.operations.harness import Hand

MONTH_S = 30 * 86400.0


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def rows(world: World) -> tuple[set[str], set[str]]:
    """Names of resources and kinds of operations that are there."""
    with world.store.reading() as conn:
        kinds = set(conn.scalars(sa.select(OPERATIONS.c.kind))) - {Schedule.RETENTION}
        return set(conn.scalars(sa.select(RESOURCES.c.name))), kinds


def forget(world: World, days: float = 0.0) -> str:
    """Let `days` pass, and the schedule run."""
    hand = Hand(world.store.engine, OPERATIONS, {Schedule.RETENTION: forget_old(world.store.engine, MONTH_S)})
    with world.store.writing() as conn:
        conn.execute(OPERATIONS.update().values(finished_at=OPERATIONS.c.finished_at - days * 86400))
        conn.execute(RESOURCES.update().values(deleted=RESOURCES.c.deleted - days * 86400))
        hand.queue.schedule(conn, Schedule.RETENTION, 3600.0)
    hand.pass_time()
    assert hand.turn()
    return hand.operation("schedule:retention").description


def test_a_resource_that_lives_stays_with_its_latest_operations(world: World) -> None:
    world.run(world.create().instance_operation)
    for verb in (world.service.bind, world.service.unbind, world.service.bind):
        world.run(verb(APP, DB, "alice").binding_operation)
    assert forget(world, 29) == "deleted: nothing"
    assert forget(world, 2) == "deleted: 2 operations", "the first bind and the unbind"
    assert rows(world) == ({DB}, {"create", "bind"})
    resource = world.resource()
    assert resource.binding_operation is not None


def test_a_deleted_one_goes_with_everything(world: World) -> None:
    world.run(world.create().instance_operation)
    world.service.destroy(APP, DB, "alice")
    resource = world.resource()
    world.run(resource.instance_operation)
    assert forget(world, 29) == "deleted: nothing"
    assert rows(world) == ({DB}, {"create", "destroy"})
    assert forget(world, 2) == "deleted: 1 resources, 2 operations"
    assert rows(world) == (set(), set())


def test_what_goes_on_stays(world: World) -> None:
    world.create()
    assert forget(world, 60) == "deleted: nothing"
    assert rows(world) == ({DB}, {"create"})


def test_credentials_of_what_is_gone_go(world: World) -> None:
    """Those of a worker that was frozen while all was removed; those of what lives stay."""
    world.elsewhere("vendor")
    world.run(world.service.bind(APP, "vendor", "alice").binding_operation)
    gone = world.elsewhere()
    world.service.destroy(APP, DB, "alice")
    world.run(world.resource().instance_operation)
    with world.store.writing() as conn:
        world.store.keep_external(conn, "late", gone.instance_id, "sealed")
    assert forget(world) == "deleted: 1 external"
    assert world.kept() == 2
