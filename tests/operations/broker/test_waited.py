"""Requests that wait, with the real room and a real worker: threads on both sides, the database between them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
import sqlalchemy as sa

from helmbroker.broker.domain.credentials import Parameters
from helmbroker.broker.domain.errors import ConcurrencyError, Gone, OperationFailed, TookTooLong
from helmbroker.broker.domain.operation import Kind, Phase
from helmbroker.broker.domain.requests import BindRequest, UnbindRequest
from helmbroker.broker.service import BindingView, Service, Unbound, WaitingRoom
from helmbroker.broker.store.schema import operations
from helmbroker.catalog.model import JSON, Catalog
from helmbroker.durable import State
from tests.operations.broker.test_cancelled import Hanging, working
from tests.operations.broker.world import ADDON, BINDING, BINDING_RELEASE, INSTANCE, NAMESPACE, World

BOUND_S = 20.0
MANY = 8


class Platform:
    """Asks without accepts_incomplete, and waits at most `wait_s` seconds."""

    def __init__(self, world: World, wait_s: float = BOUND_S) -> None:
        self.stopping = threading.Event()
        room = WaitingRoom(world.store.watch, self.stopping, most=MANY, wait_s=wait_s)
        self._service = Service(world.store, lambda: Catalog((ADDON,)), world.tools.revisions, NAMESPACE, room)
        self._plan_id = world.instance().instance.plan_id

    def bind(self, binding_id: str = BINDING, **parameters: JSON) -> BindingView:
        given = Parameters(parameters)
        answer = self._service.bind(
            BindRequest(INSTANCE, binding_id, ADDON.id, self._plan_id, None, given, {}, False)
        )
        assert isinstance(answer, BindingView)
        return answer

    def unbind(self) -> object:
        return self._service.unbind(UnbindRequest(INSTANCE, BINDING, accepts_incomplete=False))


@contextmanager
def asking(world: World, wait_s: float = BOUND_S) -> Iterator[Platform]:
    made = Platform(world, wait_s)
    try:
        yield made
    finally:
        made.stopping.set()
        for thread in threading.enumerate():
            if thread.name == "waiting-room":  # its connection is to be back before the pool is closed
                thread.join(BOUND_S)


def kinds(world: World) -> list[tuple[str, str]]:
    """Operations on bindings in order, with their states."""
    with world.store.engine.connect() as conn:
        rows = conn.execute(sa.select(operations).order_by(operations.c.seq))
        return [(row.kind, row.state) for row in rows if "binding_id" in row.params]


def finish(world: World) -> None:
    while world.hand.turn():
        pass


@pytest.mark.osb(99, 100, 112)
def test_many_that_ask_for_the_same_get_the_same(either_world: World) -> None:
    either_world.succeed(either_world.provision())
    with asking(either_world) as platform, working(either_world), ThreadPoolExecutor(MANY) as pool:
        views = [each.result(BOUND_S) for each in [pool.submit(platform.bind) for _ in range(MANY)]]
        assert len({str(view.credentials) for view in views}) == 1
        assert kinds(either_world) == [("bind", "succeeded")]
        ends = [each.result(BOUND_S) for each in [pool.submit(_gone, platform.unbind) for _ in range(MANY)]]
        assert set(ends) <= {"unbound", "Gone"}
        assert "unbound" in ends
    assert kinds(either_world) == [("bind", "succeeded"), ("unbind", "succeeded")]


def _gone(unbind: Callable[[], object]) -> str:
    """An unbind that comes late finds nothing any more."""
    try:
        answer = unbind()
    except Gone:
        return "Gone"
    assert isinstance(answer, Unbound)
    return "unbound"


@pytest.mark.osb(102)
def test_a_bind_waits_until_its_instance_is_there(either_world: World) -> None:
    either_world.provision()
    with asking(either_world) as platform, working(either_world):
        assert platform.bind().made


@pytest.mark.osb(14, 118, 120)
def test_nothing_is_left_of_a_bind_that_fails(either_world: World) -> None:
    either_world.succeed(either_world.provision())
    with asking(either_world) as platform, working(either_world):
        with pytest.raises(OperationFailed, match=r"no room .*\. Nothing of the binding is kept\.$"):
            platform.bind(make="echo no room; exit 1")
        with pytest.raises((ConcurrencyError, OperationFailed)):  # being cleaned up, or as if for the first time
            platform.bind(make="echo no room; exit 1")
    finish(either_world)
    assert BINDING_RELEASE not in either_world.cluster.releases
    record = either_world.binding()
    assert record is not None
    assert record.phase is Phase.GONE


@pytest.mark.osb(113, 117)
def test_a_bind_that_hangs_is_stopped_and_undone(either_world: World) -> None:
    either_world.succeed(either_world.provision())
    hanging = Hanging(either_world)
    with asking(either_world, wait_s=3.0) as platform, working(either_world) as ends:
        with pytest.raises(TookTooLong):
            platform.bind()
        assert hanging.begun.is_set()
        record = either_world.binding()
        assert record is not None
        assert (record.operation.kind, ends.of(record.operation.id)) == (Kind.UNBIND, State.SUCCEEDED)
    assert BINDING_RELEASE not in either_world.cluster.releases
    assert kinds(either_world) == [("bind", "cancelled"), ("unbind", "succeeded")]


@pytest.mark.osb(14, 18, 118)
def test_a_bind_whose_turn_does_not_come_leaves_nothing(either_world: World) -> None:
    """Its time runs out while the instance is still being provisioned."""
    hanging = Hanging(either_world)
    provision = either_world.provision()
    with asking(either_world, wait_s=0.2) as platform, working(either_world):
        assert hanging.begun.wait(BOUND_S)
        with pytest.raises(ConcurrencyError):
            platform.bind()
        assert (either_world.binding(), kinds(either_world)) == (None, [("bind", "cancelled")])
    assert not either_world.hand.operation(provision).state.finished


def test_binds_race_with_the_end_of_their_time(either_world: World) -> None:
    """Whatever comes first: who is told 201 has a binding, who is not has none."""
    either_world.succeed(either_world.provision())
    with asking(either_world, wait_s=0.05) as platform, working(either_world), ThreadPoolExecutor(MANY) as pool:
        for number in range(3):
            ids = [f"b{number}-{each}" for each in range(MANY)]
            made = [each.result(BOUND_S) for each in [pool.submit(_told, platform, each) for each in ids]]
            told = dict(zip(ids, made, strict=True))
            for binding_id, is_made in told.items():
                record = either_world.binding(binding_id)
                ready = record is not None and record.phase is Phase.READY
                assert ready is is_made, (binding_id, record and record.operation)
    finish(either_world)
    with either_world.store.read() as records:
        left = {each.binding.release for each in records.bindings(INSTANCE) if each.phase is Phase.READY}
    assert {ref for ref in either_world.cluster.releases if "-" in ref.name.removeprefix("hb-")} == left


def _told(platform: Platform, binding_id: str) -> bool:
    try:
        return platform.bind(binding_id).made
    except (ConcurrencyError, TookTooLong):
        return False
