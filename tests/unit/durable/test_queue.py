import threading
from collections.abc import Callable
from types import MappingProxyType

import pytest
import sqlalchemy as sa

from helmbroker.database import reader
from helmbroker.durable import Conflict, Context, State, Transient
from tests.operations.harness import Hand
from tests.unit.durable.desk import BOUND_S, OPERATIONS, Desk, at_once

HandOf = Callable[..., Hand]


def test_enqueue_stores_what_was_asked(desk: Desk) -> None:
    operation = desk.enqueue("work", "s", id="o", params={"b": [1, None], "a": "é\x00"}, timeout_s=60)
    assert desk.read(operation) == operation
    assert (operation.id, operation.kind, operation.subject) == ("o", "work", "s")
    assert operation.params == {"a": "é\x00", "b": [1, None]}
    assert (operation.state, operation.attempt, operation.fence) == (State.QUEUED, 0, 0)
    assert (operation.results, operation.cancel_requested, operation.finished_at) == ({}, False, None)
    assert operation.deadline - operation.created_at == pytest.approx(60, abs=0.1)


def test_enqueue_again_reads_the_same_operation(desk: Desk) -> None:
    first = desk.enqueue(id="o", params={"a": 1, "b": 2}, timeout_s=60)
    assert desk.enqueue(id="o", params={"b": 2, "a": 1}, timeout_s=999) == first


@pytest.mark.parametrize("other", [{"kind": "else"}, {"subject": "else"}, {"params": {"a": 2}}])
def test_another_request_under_the_same_id_is_a_conflict(desk: Desk, other: dict[str, str]) -> None:
    desk.enqueue(id="o", params={"a": 1})
    with pytest.raises(Conflict, match="operation o exists already"):
        desk.enqueue(id="o", **({"params": {"a": 1}} | other))  # type: ignore[arg-type]


def test_parameters_are_json_and_nothing_else(desk: Desk) -> None:
    first = desk.enqueue(id="o", params=MappingProxyType({"a": (1, 2)}))
    assert first.params == {"a": [1, 2]}
    assert desk.enqueue(id="o", params={"a": [1, 2]}) == first
    with pytest.raises(ValueError, match="not JSON compliant"):
        desk.enqueue(params={"a": float("nan")})


def test_enqueue_belongs_to_the_callers_transaction(desk: Desk) -> None:
    def fail_after_enqueue() -> None:
        with desk.engine.begin() as conn:
            desk.queue.enqueue(conn, id="o", kind="work", subject="s", params={}, timeout_s=1)
            raise LookupError

    with pytest.raises(LookupError):
        fail_after_enqueue()
    with reader(desk.engine).connect() as conn:
        assert desk.queue.get(conn, "o") is None


def test_one_of_eight_concurrent_enqueues_wins(desk: Desk) -> None:
    seen: list[int] = []
    threads = [threading.Thread(target=lambda: seen.append(desk.enqueue(id="o").seq)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(BOUND_S)
    assert len(seen) == 8
    assert len(set(seen)) == 1


def test_operations_of_a_subject_run_in_the_order_they_came(desk: Desk, hand_of: HandOf) -> None:
    hand = hand_of(at_once)
    first, second = desk.enqueue(subject="s"), desk.enqueue(subject="s")
    other = desk.enqueue(subject="other")
    taken = [hand.claim(), hand.claim()]
    assert [ctx.operation.id for ctx in taken if ctx] == [first.id, other.id]
    assert hand.claim() is None, "the subject is occupied"
    assert taken[0] is not None
    hand.worker.perform(taken[0])
    following = hand.claim()
    assert following is not None
    assert following.operation.id == second.id


def test_one_that_waits_for_its_retry_is_not_overtaken(desk: Desk, hand_of: HandOf) -> None:
    hand = hand_of(at_once)
    waiting, _later = desk.enqueue(), desk.enqueue()
    desk.change(waiting, run_at=9e9)
    assert hand.claim() is None
    hand.pass_time()
    ctx = hand.claim()
    assert ctx is not None
    assert ctx.operation.id == waiting.id


def test_the_database_refuses_a_second_running_operation(desk: Desk, hand_of: HandOf) -> None:
    hand = hand_of(at_once)
    desk.enqueue()
    assert hand.claim() is not None
    second = desk.enqueue()
    with pytest.raises(sa.exc.IntegrityError):
        desk.change(second, state=State.RUNNING)


def test_the_database_knows_only_our_states(desk: Desk) -> None:
    operation = desk.enqueue()
    with pytest.raises(sa.exc.IntegrityError):
        desk.change(operation, state="paused")


@pytest.mark.osb(97)
@pytest.mark.bug(5)
def test_an_expired_lease_is_claimed_with_a_new_fence(desk: Desk, hand_of: HandOf) -> None:
    hand = hand_of(at_once)
    operation = desk.enqueue()
    first = hand.claim()
    assert first is not None
    assert hand.claim() is None
    hand.pass_time()
    second = hand.claim()
    assert second is not None
    assert second.operation.id == operation.id
    assert (first.operation.fence, second.operation.fence) == (1, 2)
    assert (first.operation.attempt, second.operation.attempt) == (1, 2)


def test_a_kind_nobody_here_knows_waits_for_another_worker(desk: Desk, hand_of: HandOf) -> None:
    hand = hand_of(at_once)
    operation = desk.enqueue("of a newer version")
    assert not hand.turn()
    assert desk.read(operation).state is State.QUEUED


def test_cancel_ends_what_is_queued_at_once(desk: Desk, hand_of: HandOf) -> None:
    hand = hand_of(at_once)
    one, two, other = desk.enqueue(), desk.enqueue(), desk.enqueue(subject="other")
    assert sorted(desk.cancel()) == [one.id, two.id]
    after = desk.read(one)
    assert (after.state, after.description) == (State.CANCELLED, "no longer wanted")
    assert after.finished_at is not None
    assert after.state.finished
    assert desk.read(other) == other
    assert hand.turn()
    assert not hand.turn()
    assert desk.cancel() == [], "finished operations stay as they are"


def test_cancel_can_mean_one_operation_only(desk: Desk) -> None:
    one, two = desk.enqueue(), desk.enqueue()
    with desk.engine.begin() as conn:
        assert desk.queue.cancel(conn, "subject", description="x", only=two.id) == [two.id]
    assert (desk.read(one).state, desk.read(two).state) == (State.QUEUED, State.CANCELLED)


def test_cancel_asks_what_runs_and_leaves_it_its_place(desk: Desk, hand_of: HandOf) -> None:
    hand = hand_of(at_once)
    operation = desk.enqueue()
    assert hand.claim() is not None
    assert desk.cancel() == [operation.id]
    assert desk.cancel() == [operation.id]
    after = desk.read(operation)
    assert (after.state, after.cancel_requested, after.description) == (State.RUNNING, True, operation.description)
    desk.enqueue()
    assert hand.claim() is None, "the slot is free only when it has ended"


def test_a_cancelled_operation_whose_worker_died_ends_without_running(desk: Desk, hand_of: HandOf) -> None:
    ran: list[str] = []
    hand = hand_of(lambda ctx: ran.append(ctx.operation.id))
    operation, cleanup = desk.enqueue(), None
    assert hand.claim() is not None
    desk.cancel(description="the instance is deleted")
    cleanup = desk.enqueue()
    hand.pass_time()
    assert hand.turn()
    assert (desk.read(operation).state, desk.read(operation).description) == (
        State.CANCELLED,
        "the instance is deleted",
    )
    assert ran == []
    assert hand.turn()
    assert ran == [cleanup.id]


def test_a_cancelled_operation_of_an_unknown_kind_ends_too(desk: Desk, engine: sa.Engine) -> None:
    operation = desk.enqueue("of a newer version")
    newer = Hand(engine, OPERATIONS, {"of a newer version": at_once})
    assert newer.claim() is not None
    desk.cancel()
    newer.pass_time()
    assert Hand(engine, OPERATIONS, {"work": at_once}).turn()
    assert desk.read(operation).state is State.CANCELLED


def test_what_is_put_back_with_a_cancel_pending_ends_at_once(desk: Desk, hand_of: HandOf) -> None:
    def handle(_ctx: Context) -> str:
        desk.cancel(description="the first reason")
        desk.cancel(description="another reason")
        raise Transient("not now", 3600.0)

    operation = desk.enqueue()
    hand = hand_of(handle)
    assert hand.turn()
    assert desk.read(operation).state is State.QUEUED
    assert hand.turn()
    after = desk.read(operation)
    assert (after.state, after.description) == (State.CANCELLED, "the first reason")


def test_renew_holds_and_reports(desk: Desk, hand_of: HandOf) -> None:
    hand = hand_of(at_once)
    running, lost, cancelled = (desk.enqueue(subject=s) for s in ("a", "b", "c"))
    fences = {running.seq: 1, lost.seq: 1, cancelled.seq: 1}
    assert all(hand.claim() for _ in fences)
    desk.change(lost, fence=2)
    desk.cancel("c")
    held = desk.queue.renew(fences, 1000.0)
    assert {seq: cancel for seq, (cancel, _) in held.items()} == {running.seq: False, cancelled.seq: True}
    assert held[running.seq][1] == pytest.approx(1000, abs=0.1)
    assert desk.time_of(running, "lease_until") - desk.time_of(lost, "lease_until") == pytest.approx(940, abs=5)


def test_parameters_and_results_do_not_show(desk: Desk) -> None:
    operation = desk.enqueue(params={"password": "canary"})
    assert "canary" not in repr(operation)
    with desk.engine.begin() as conn:
        row = conn.execute(sa.select(OPERATIONS)).one()._asdict()
    with desk.engine.connect() as conn, pytest.raises(sa.exc.IntegrityError) as caught:
        conn.execute(OPERATIONS.insert().values(**row | {"seq": 999}))
    assert "canary" not in str(caught.value)


def test_what_is_handed_back_cannot_be_renewed(desk: Desk, hand_of: HandOf) -> None:
    hand = hand_of(at_once)
    desk.enqueue()
    ctx = hand.claim()
    assert ctx is not None
    with ctx.transaction() as conn:
        desk.queue.requeue(conn, ctx.operation, 0.0)
    assert desk.queue.renew({ctx.operation.seq: ctx.operation.fence}, 60.0) == {}
    assert hand.turn(), "it can be claimed at once"


def test_attempts_are_counted_in_the_row_whoever_makes_them(desk: Desk, engine: sa.Engine) -> None:
    """Failures for now and crashes, each in another worker: no memory is needed to give up."""
    seen: list[int] = []

    def handle(ctx: Context) -> str:
        seen.append(ctx.operation.attempt)
        raise Transient("not now", 3600.0)

    operation = desk.enqueue()
    for crashes in (False, True, False, True, False):
        hand = Hand(engine, OPERATIONS, {"work": handle}, max_attempts=5)
        hand.pass_time()
        assert hand.claim() is not None if crashes else hand.turn()
    after = desk.read(operation)
    assert seen == [1, 3, 5]
    assert (after.state, after.description) == (State.FAILED, "gave up after 5 attempts: not now")
