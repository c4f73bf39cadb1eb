"""What holds on SQLite only."""

import threading
from collections.abc import Callable

import sqlalchemy as sa

from helmbroker.durable import Context, State
from tests.operations.harness import Hand
from tests.unit.durable.desk import BOUND_S, Desk, Finished, Seen, at_once, quick, running


def test_a_worker_that_cannot_renew_stops_its_operations(desk: Desk) -> None:
    entered, told, finished = threading.Event(), threading.Event(), Finished()

    def handle(ctx: Context) -> str:
        if not told.is_set():
            entered.set()
            assert ctx.stop.wait(BOUND_S)
            told.set()
            ctx.check()
        return "done"

    desk.enqueue()
    seen = Seen()
    with running(quick(desk, handle, finished, lease_s=0.4, observed=seen)):
        assert entered.wait(BOUND_S)
        with desk.engine.begin():  # nobody else can write
            assert told.wait(BOUND_S)
        (ended,) = finished.wait(1)
    assert ended.fence > 1, "it goes on after the lease"
    assert ("left", None) in seen.told


def test_an_idle_worker_does_not_look_into_an_unchanged_file(desk: Desk) -> None:
    statements: list[str] = []
    sa.event.listen(desk.engine, "before_cursor_execute", lambda _c, _cu, sql, *_: statements.append(sql))
    for n in range(3):
        desk.change(desk.enqueue(subject=f"waits {n}"), run_at=9e9)
    polls = threading.Event()

    def count(_conn: object, _cursor: object, sql: str, *_more: object) -> None:
        if statements.count("PRAGMA data_version") > 50:
            polls.set()

    sa.event.listen(desk.engine, "before_cursor_execute", count)
    statements.clear()
    with running(quick(desk, at_once, Finished(), poll_s=0.001)):
        assert polls.wait(BOUND_S)
    assert sum("FROM operations" in statement for statement in statements) == 1


def test_a_database_failure_in_the_handlers_own_transaction_is_tried_again_as_a_whole(
    desk: Desk, hand_of: Callable[..., Hand]
) -> None:
    def handle(ctx: Context) -> str:
        if ctx.operation.attempt == 1:
            with ctx.transaction() as conn:
                conn.execute(sa.text("ALTER TABLE operations RENAME TO gone"))
                ctx.save("a", 1)
        return "done"

    operation = desk.enqueue()
    hand = hand_of(handle)
    assert hand.turn()
    waiting = desk.read(operation)
    assert (waiting.state, waiting.results) == (State.QUEUED, {})
    assert waiting.description == "work met a temporary failure (OperationalError)"
    assert hand.run(operation.id).state is State.SUCCEEDED
