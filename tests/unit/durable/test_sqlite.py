"""What holds on SQLite only."""

import threading

import pytest
import sqlalchemy as sa

from helmbroker.durable import LeaseLost
from tests.unit.durable.desk import BOUND_S, Desk, Finished, Gate, at_once, quick, running


def test_a_worker_that_cannot_renew_stops_its_operations(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    gate, finished = Gate(), Finished()
    desk.enqueue()
    with running(quick(desk, gate, finished, lease_s=0.4)):
        ctx = gate.await_entry()
        with desk.engine.begin():  # nobody else can write
            assert ctx.stop.wait(BOUND_S)
            with pytest.raises(LeaseLost):
                ctx.check()
        assert gate.await_entry().operation.fence > ctx.operation.fence, "it goes on after the lease"
        gate.open.set()
        finished.wait(1)
    assert "its lease is lost" in caplog.text


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
