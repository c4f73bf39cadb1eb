"""No more operations at a time than the limit, over all workers together."""

from collections.abc import Callable

import pytest
import sqlalchemy as sa

from helmbroker.durable import State
from tests.operations.harness import Hand
from tests.unit.durable.desk import Desk, Finished, Gate, at_once, quick, running

HandOf = Callable[..., Hand]
KINDS = frozenset({"work"})


def test_the_limit_counts_what_all_workers_hold(desk: Desk) -> None:
    for n in range(3):
        desk.enqueue(subject=f"subject {n}")
    assert desk.queue.claim("one", KINDS, 60.0, 2) is not None
    assert desk.queue.claim("another", KINDS, 60.0, 2) is not None
    assert desk.queue.claim("one", KINDS, 60.0, 2) is None
    assert desk.queue.claim("a third", KINDS, 60.0, 3) is not None, "each goes by its own limit"


def test_a_lease_that_is_over_takes_no_place_and_is_not_renewed(desk: Desk) -> None:
    first, second = (desk.enqueue(subject=f"subject {n}") for n in range(2))
    assert desk.queue.claim("one", KINDS, 60.0, 1) is not None
    desk.change(first, lease_until=0.0, run_at=9e9)
    desk.change(second, run_at=-1.0)  # due before the other
    claimed = desk.queue.claim("another", KINDS, 60.0, 1)
    assert claimed is not None
    assert claimed[0].id == second.id
    ((cancel, left_s),) = desk.queue.renew({first.seq: 1}, 60.0).values()
    assert (cancel, left_s < 0) == (False, True), "or two would be held"
    assert desk.queue.claim("another", KINDS, 60.0, 1) is None, "also not to take it over"


def test_nothing_is_due_until_a_place_may_be_free(desk: Desk) -> None:
    first, _second = (desk.enqueue(subject=f"subject {n}") for n in range(2))
    assert desk.queue.claim("one", KINDS, 60.0, 1) is not None
    with desk.engine.connect() as conn:
        assert desk.queue.due_in_s(conn, KINDS, 2) <= 0
        assert desk.queue.due_in_s(conn, KINDS, 1) == pytest.approx(60, abs=5)
    desk.change(first, state=State.SUCCEEDED)
    with desk.engine.connect() as conn:
        assert desk.queue.due_in_s(conn, KINDS, 1) <= 0


def test_two_workers_together_keep_the_limit(desk: Desk) -> None:
    gate, finished = Gate(), Finished()
    for n in range(5):
        desk.enqueue(subject=f"subject {n}")
    claims: list[str] = []
    sa.event.listen(desk.engine, "before_cursor_execute", lambda _c, _cu, sql, *_: claims.append(sql))
    one, other = (quick(desk, gate, finished, limit=2, heartbeat_s=1.0) for _ in range(2))
    with running(one), running(other):
        gate.await_entry()
        gate.await_entry()
        claims.clear()
        assert not gate.entered.acquire(timeout=0.2)
        tries = sum(word in sql for sql in claims for word in ("BEGIN IMMEDIATE", "pg_advisory_xact_lock"))
        assert tries < 5, "nobody tries again and again"
        gate.open.set()
        finished.wait(5)
    assert {operation.state for operation in finished.operations} == {State.SUCCEEDED}


def test_an_operation_runs_when_the_lease_that_held_it_up_is_over(desk: Desk, hand_of: HandOf) -> None:
    """On SQLite nobody writes when a lease ends: who waits for it has to know when."""
    finished = Finished()
    held, waits = (desk.enqueue("a dead worker's", subject="x"), desk.enqueue(subject="y"))
    assert desk.queue.claim("dead", frozenset({held.kind}), 0.3) is not None
    with running(quick(desk, at_once, finished, limit=1)):
        assert finished.wait(1)[0].id == waits.id
