"""Operations survive what happens to real worker processes."""

import random
import signal
import threading
import time

import pytest
import sqlalchemy as sa

from helmbroker.durable import Operation, State
from helmbroker.durable.queue import _CLAIM_LOCK
from tests.operations.durable.processes import BOUND_S, Workers
from tests.unit.durable.desk import OPERATIONS, Desk

_WAITING = sa.text(
    "SELECT count(*) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid() AND state = 'active'"
)

pytestmark = pytest.mark.processes


def await_end(desk: Desk, operation: Operation) -> Operation:
    """The operation when it has finished. Asks the database: other processes have nothing to wait on."""
    pause, end = threading.Event(), time.monotonic() + BOUND_S
    while not (found := desk.read(operation)).state.finished:
        assert time.monotonic() < end, found
        pause.wait(0.02)
    return found


@pytest.mark.osb(97)
@pytest.mark.bug(5)
def test_another_worker_resumes_what_a_killed_one_left(desk: Desk, workers: Workers) -> None:
    operation, following = (desk.enqueue(params={"step_s": s}) for s in (1.0, 0.0))
    first = workers.start()
    workers.await_line(lambda line: (line.event, line.step) == ("begin", "two"))
    workers.kill(first)
    second = workers.start(lease_s=30.0)
    after = await_end(desk, operation)
    assert (after.state, after.attempt, after.fence) == (State.SUCCEEDED, 1, 2)
    assert after.results == {"one": {"pid": first, "fence": 1}, "two": {"pid": second, "fence": 2}}
    assert await_end(desk, following).state is State.SUCCEEDED
    workers.assert_no_overlap()
    begun = [(line.operation, line.step) for line in workers.lines if line.event == "begin"]
    assert begun == [(operation.id, step) for step in ("one", "two", "two")] + [
        (following.id, "one"),
        (following.id, "two"),
    ]


def freeze(desk: Desk, workers: Workers, pid: int) -> None:
    """While it neither holds a lock nor waits for one, which it would be given: either would hold up everybody."""
    for _ in range(20):
        with desk.engine.begin() as conn:
            conn.execute(sa.select(OPERATIONS.c.seq).with_for_update())
            if conn.dialect.name == "postgresql":
                conn.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_CLAIM_LOCK})")
            workers.signal(pid, signal.SIGSTOP)
            if conn.dialect.name != "postgresql" or not conn.execute(_WAITING).scalar_one():
                return
        workers.signal(pid, signal.SIGCONT)
    pytest.fail("it waits for a lock at each look")


def test_a_frozen_worker_that_wakes_up_leaves_and_writes_nothing(desk: Desk, workers: Workers) -> None:
    operation = desk.enqueue(params={"step_s": 1.0})
    zombie = workers.start(lease_s=1.0)
    workers.await_line(lambda line: line.step == "one")
    freeze(desk, workers, zombie)
    second = workers.start(lease_s=30.0)
    workers.await_line(lambda line: line.pid == second)
    workers.signal(zombie, signal.SIGCONT)
    workers.await_line(lambda line: (line.pid, line.event) == (zombie, "LeaseLost"))
    after = await_end(desk, operation)
    assert (after.state, after.fence) == (State.SUCCEEDED, 2)
    assert after.results == {step: {"pid": second, "fence": 2} for step in ("one", "two")}
    assert [line.pid for line in workers.lines if line.event in {"end", "finish"}] == [second] * 3


def test_a_worker_that_is_asked_to_end_leaves_its_work_to_the_next_at_once(desk: Desk, workers: Workers) -> None:
    operation = desk.enqueue(params={"step_s": 0.5})
    first = workers.start(lease_s=600)
    workers.await_line(lambda line: line.step == "one")
    workers.signal(first, signal.SIGTERM)
    workers.start(lease_s=30)
    assert workers.await_exit(first) == 0
    after = await_end(desk, operation)
    assert (after.state, after.attempt) == (State.SUCCEEDED, 1)
    workers.assert_no_overlap()


def test_cancel_reaches_another_process(desk: Desk, workers: Workers) -> None:
    operation = desk.enqueue(params={"step_s": 60.0})
    workers.start(lease_s=40.0)  # and a heartbeat of 2 s, as usual
    workers.await_line(lambda line: line.event == "begin")
    asked = time.monotonic()
    desk.cancel(description="the instance is deleted")
    told = workers.await_line(lambda line: line.event == "Cancelled")
    assert told.at - asked < 10.0, "by a heartbeat, not by a lease"
    following = desk.enqueue(params={"step_s": 0.0})
    after = await_end(desk, operation)
    assert (after.state, after.description) == (State.CANCELLED, "the instance is deleted")
    assert await_end(desk, following).state is State.SUCCEEDED
    workers.assert_no_overlap()


@pytest.mark.osb(97)
@pytest.mark.bug(5, 15)
def test_nothing_is_lost_and_nothing_overlaps_when_workers_are_killed(desk: Desk, workers: Workers) -> None:
    chance = random.Random(20261123)  # noqa: S311 - for a test, not for a secret
    operations: list[Operation] = []
    workers.start_many(3, lease_s=1.0)
    for _ in range(3):  # with new work each time: there is some, however long the kill before has taken
        operations += [desk.enqueue(subject=f"subject {n % 6}", params={"step_s": 0.1}) for n in range(30)]
        working = workers.await_new_begin().pid
        threading.Event().wait(chance.uniform(0.0, 0.1))
        workers.kill(working)
        workers.start(lease_s=1.0)
    ends = [await_end(desk, operation) for operation in operations]
    assert {end.state for end in ends} == {State.SUCCEEDED}
    assert all(set(end.results) == {"one", "two"} for end in ends)
    assert any(end.fence > 1 for end in ends), "nothing was interrupted"
    workers.assert_no_overlap()
    for subject in {operation.subject for operation in operations}:
        finished = [line.operation for line in workers.lines if (line.event, line.subject) == ("finish", subject)]
        assert list(dict.fromkeys(finished)) == [o.id for o in operations if o.subject == subject], "not in order"
