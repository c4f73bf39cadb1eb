"""The platform side on PostgreSQL: the same rows and rules."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from helmbroker.controller_bridge.model import BindingState, InstanceState
from helmbroker.controller_bridge.service import Conflicting, NotUnique, Refused
from helmbroker.controller_bridge.views import NoSuchResource
from helmbroker.database import connect
from helmbroker.durable import JSON, State
from tests.operations.bridge.world import APP, DB, OTHER_APP, World
from tests.postgresql import empty_database, postgresql_url

__all__ = ["postgresql_url"]

pytestmark = pytest.mark.postgresql


@pytest.fixture
def world(postgresql_url: str, tmp_path: Path) -> Iterator[World]:
    engine = connect(empty_database(postgresql_url))
    yield World(tmp_path, engine=engine)
    engine.dispose()


def test_a_whole_life(world: World) -> None:
    world.bound()
    assert world.states() == (InstanceState.READY, BindingState.READY)
    with pytest.raises(NotUnique):
        world.create()
    world.run(world.service.update(APP, DB, "postgresql:large", {"replicas": "3"}, "alice").instance_operation)
    assert world.resource().plan == "large"
    world.run(world.service.unbind(APP, DB, "alice").binding_operation)
    kinds = [str(each.kind) for each in world.service.operations(APP, DB, most=3)]
    assert kinds == ["unbind", "update", "bind"]
    world.service.destroy(APP, DB, "alice")
    assert world.run(world.resource().instance_operation).state is State.SUCCEEDED
    with pytest.raises(NoSuchResource):
        world.resource()
    world.run(world.create().instance_operation)
    assert world.resource().instance is InstanceState.READY


def together(*actions: object) -> None:
    """Run all at the same time, to their ends."""
    threads = [threading.Thread(target=action) for action in actions if callable(action)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_of_many_equal_requests_one_wins(world: World) -> None:
    created: list[str] = []
    refused: list[str] = []

    def create() -> None:
        try:
            created.append(world.create().uuid)
        except NotUnique:
            refused.append("x")

    together(*[create] * 8)
    assert (len(created), len(refused)) == (1, 7)
    world.run(world.resource().instance_operation)

    bound: list[str | None] = []

    def bind() -> None:
        try:
            bound.append(world.service.bind(APP, DB, "alice").binding_operation)
        except Conflicting:
            refused.append("x")

    together(*[bind] * 8)
    assert (len(bound), len(refused)) == (1, 14)
    assert world.run(bound[0]).state is State.SUCCEEDED
    assert len(world.broker.bindings) == 1


def test_bind_and_destroy_at_once_leave_nothing_half(world: World) -> None:
    world.created()

    def bind() -> None:
        try:
            world.service.bind(APP, DB, "alice")
        except Refused as refusal:
            assert str(refusal) == "the resource instance is not ready"  # noqa: PT017 - either may come first

    together(bind, lambda: world.service.destroy(APP, DB, "alice"))
    assert world.run(world.resource().instance_operation).state is State.SUCCEEDED
    assert world.broker.instances == {}
    assert world.broker.bindings == {}
    assert world.environment() == {}


def test_workers_that_look_at_once_begin_no_more_rotations_than_may_go_on(world: World) -> None:
    names = ["one", "two", "three"]
    for name in names:
        world.bound(name)
    with world.store.writing() as conn:
        for name in names:
            world.store.change(conn, world.resource(name).uuid, rotate_at=world.store.now(conn) - 1.0)
    begun: list[int] = []
    together(*[lambda: begun.append(world.service.rotate_due(2)[0])] * 4)
    assert sum(begun) == 2
    assert sum(world.resource(name).binding is BindingState.ROTATING for name in names) == 2


@pytest.mark.parametrize("number", range(5))
def test_an_instance_is_shared_or_destroyed(world: World, number: int) -> None:
    """Never both: whoever comes first; and both come at the same time."""
    world.run(world.create(app=OTHER_APP).instance_operation)
    ended: list[str] = []

    def share() -> None:
        try:
            world.sharing.share(APP, DB, (OTHER_APP, DB), "alice")
            ended.append("shared")
        except Refused as refusal:
            ended.append(str(refusal))

    def destroy() -> None:
        try:
            world.service.destroy(OTHER_APP, DB, "alice")
            ended.append("destroyed")
        except Refused as refusal:
            ended.append(str(refusal))

    together(*([share, destroy] if number % 2 else [destroy, share]))
    assert sorted(ended) in (
        ["destroyed", "the resource instance is not ready"],
        ["shared", "the resource instance is shared with shop/my-db: destroy that first"],
    )
    gone = world.resource(app=OTHER_APP).instance is InstanceState.DEPROVISIONING
    assert gone is ("destroyed" in ended)


def test_what_is_shared_and_what_lives_elsewhere(world: World) -> None:
    world.shared()
    world.run(world.service.bind(APP, DB, "alice").binding_operation)
    world.run(world.service.rotate(APP, DB, "alice").binding_operation)
    assert world.states() == (InstanceState.READY, BindingState.READY)
    world.elsewhere("vendor")
    world.run(world.service.bind(APP, "vendor", "alice").binding_operation)
    two: dict[str, JSON] = {"uri": "postgres://two"}
    world.run(world.service.update(APP, "vendor", "external:credentials", two, "alice").instance_operation)
    world.run(world.resource("vendor").binding_operation)
    assert world.environment()["VENDOR_URI"] == "postgres://two"
    assert world.kept() == 2
    count, rows = world.service.page(APP, limit=10, offset=0)
    assert (count, [row.source for row in rows]) == (2, [None, "blog/my-db"])
