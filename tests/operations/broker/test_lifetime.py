"""Bindings that expire: from the plan's file to the user that is dropped, by several workers at once."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from helmbroker.broker.domain.errors import Unavailable
from helmbroker.broker.domain.operation import Phase, Schedule
from helmbroker.broker.service import Expiry
from helmbroker.broker.store.schema import bindings, operations
from helmbroker.broker.store.store import SqlStore
from helmbroker.broker.worker import PERIODS_S, scheduled
from helmbroker.sealing import KeyRing, Keys
from tests.fakes.revisions import FakeAddonRevisions
from tests.operations.broker.world import BINDING, BINDING_RELEASE, World
from tests.operations.harness import Hand

TEMPLATE = """
credentials: [{name: host, value: h}]
endpoints: [{host: h, ports: [5432]}]
"""


def bound(world: World, *binding_ids: str) -> None:
    world.succeed(world.provision(plan="brief"))
    world.helm.template = TEMPLATE
    for each in binding_ids or (BINDING,):
        world.succeed(world.bind(each))


def pass_time(world: World, seconds: float = 60) -> None:
    with world.store.engine.begin() as conn:
        moved = {name: bindings.c[name] - seconds for name in ("expires_at", "revoke_at")}
        conn.execute(bindings.update().values(moved))


def revoked(world: World) -> int:
    """Carry out what is due; how many bindings were removed by it."""
    while world.hand.turn():
        pass
    with world.store.read() as records:
        return sum(each.phase is Phase.GONE for each in records.bindings(world.instance().instance.id))


@pytest.mark.osb(104, 105)
def test_what_the_template_and_the_plan_say_is_kept(either_world: World) -> None:
    bound(either_world)
    record = either_world.binding()
    assert record is not None
    binding = record.binding
    assert binding.endpoints == [{"host": "h", "ports": ["5432"]}]
    assert binding.expires_at is not None
    assert binding.renew_before is not None
    assert record.operation.created_at < binding.renew_before
    assert binding.expires_at - binding.renew_before == pytest.approx(20, abs=0.001)
    assert not record.expired
    pass_time(either_world)
    record = either_world.binding()
    assert record is not None
    assert record.expired


def test_the_user_is_dropped_when_the_time_is_over(either_world: World) -> None:
    bound(either_world)
    schedule = Expiry(either_world.store, either_world.tools.revisions)
    assert (schedule.revoke_due(), BINDING_RELEASE.name in names(either_world)) == (0, True)
    pass_time(either_world)
    assert schedule.revoke_due() == 1
    assert revoked(either_world) == 1
    assert BINDING_RELEASE.name not in names(either_world)
    assert schedule.revoke_due() == 0


@pytest.mark.osb(104)
def test_nothing_is_revoked_while_it_is_to_be_renewed(either_world: World) -> None:
    bound(either_world)
    pass_time(either_world, 50)  # past renew_before
    assert Expiry(either_world.store, either_world.tools.revisions).revoke_due() == 0
    record = either_world.binding()
    assert record is not None
    assert (record.phase, record.expired) == (Phase.READY, False)


def names(world: World) -> set[str]:
    return {ref.name for ref in world.cluster.releases}


def test_workers_that_look_at_the_same_time_begin_each_revocation_once(either_world: World) -> None:
    ids = [f"b{number}" for number in range(8)]
    bound(either_world, *ids)
    pass_time(either_world)
    start = threading.Barrier(4)

    def look() -> int:
        store = SqlStore(
            either_world.store.engine.url.render_as_string(hide_password=False),
            Keys(KeyRing({"1": bytes(32)}, "1")),
        )
        try:
            start.wait()
            return Expiry(store, either_world.tools.revisions).revoke_due()
        finally:
            store.close()

    with ThreadPoolExecutor(4) as pool:
        begun = sum(each.result() for each in [pool.submit(look) for _ in range(4)])
    assert begun == len(ids)
    assert revoked(either_world) == len(ids)


def test_the_schedule_is_an_operation_of_no_instance(world: World) -> None:
    """It revokes what is due, and says so until the next time."""
    bound(world)
    pass_time(world)
    expiry = Expiry(world.store, world.tools.revisions)
    hand = Hand(world.store.engine, operations, scheduled(expiry, lambda _between: {}), transient=(Unavailable,))
    with world.store.engine.begin() as conn:
        hand.queue.schedule(conn, Schedule.EXPIRY, PERIODS_S[Schedule.EXPIRY])
    for told in ("1 bindings have expired and are being revoked", "nothing has expired"):
        hand.pass_time()
        assert hand.turn()
        assert hand.operation("schedule:expiry").description == told
    assert revoked(world) == 1


@pytest.mark.parametrize("fault", ["a revision that is lost", "a record that cannot be opened"])
def test_a_binding_that_cannot_be_revoked_holds_up_nobody(
    either_world: World, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither the other bindings nor the worker; and it is not tried again all the time."""
    bound(either_world, "b1", "b2")
    pass_time(either_world)
    revisions = either_world.tools.revisions
    if fault == "a revision that is lost":
        schedule, others = Expiry(either_world.store, FakeAddonRevisions()), 0
    else:
        with either_world.store.engine.begin() as conn:
            broken = bindings.update().where(bindings.c.id == "b1")
            conn.execute(broken.values(sealed_parameters=b"nothing that was sealed", revoke_at=0))
        schedule, others = Expiry(either_world.store, revisions), 1
    assert schedule.revoke_due() == others
    assert "an expired binding cannot be revoked" in caplog.text
    caplog.clear()
    assert (schedule.revoke_due(), caplog.text) == (0, "")
