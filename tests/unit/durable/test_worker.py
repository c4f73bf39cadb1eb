import threading
import time
from typing import Any

import pytest
import sqlalchemy as sa

from helmbroker.durable import (
    Context,
    Done,
    Fail,
    Failed,
    LeaseLost,
    Operation,
    Outcome,
    Queue,
    State,
    Step,
    Transient,
    Wait,
    Worker,
    run_steps,
)
from tests.unit.durable.desk import BOUND_S, OPERATIONS, Desk, Finished, Gate, at_once, quick, running


def test_a_worker_runs_what_is_enqueued_before_and_after_its_start(desk: Desk) -> None:
    finished = Finished()
    first = desk.enqueue()
    with running(quick(desk, at_once, finished)):
        finished.wait(1)
        second = desk.enqueue()
        finished.wait(2)
    assert [operation.id for operation in finished.operations] == [first.id, second.id]
    assert [desk.read(operation).state for operation in (first, second)] == [State.SUCCEEDED] * 2


def test_the_reaction_to_a_new_operation_is_short_with_the_usual_poll(desk: Desk) -> None:
    finished = Finished()
    with running(quick(desk, at_once, finished, poll_s=0.3)):
        desk.enqueue()
        finished.wait(1)
        start = time.monotonic()
        desk.enqueue()
        finished.wait(2)
        assert time.monotonic() - start < 10.0, "a poll, not a lease; on the slowest machine, too"


def test_no_more_than_concurrency_at_a_time(desk: Desk) -> None:
    gate, finished = Gate(), Finished()
    for n in range(5):
        desk.enqueue(subject=f"subject {n}")
    with running(quick(desk, gate, finished, concurrency=2)):
        gate.await_entry()
        gate.await_entry()
        assert not gate.entered.acquire(timeout=0.05)
        gate.open.set()
        finished.wait(5)


def test_one_at_a_time_per_subject(desk: Desk) -> None:
    gate, finished = Gate(), Finished()
    first, second = desk.enqueue(), desk.enqueue()
    with running(quick(desk, gate, finished)):
        assert gate.await_entry().operation.id == first.id
        assert not gate.entered.acquire(timeout=0.05)
        gate.open.set()
        assert gate.await_entry().operation.id == second.id
        finished.wait(2)


def test_cancel_of_a_running_operation(desk: Desk) -> None:
    gate, finished = Gate(), Finished()
    operation = desk.enqueue()
    with running(quick(desk, gate, finished)):
        ctx = gate.await_entry()
        desk.cancel(description="the instance is deleted")
        following = desk.enqueue()
        assert ctx.stop.wait(BOUND_S)
        (ended,) = finished.wait(1)
        assert gate.await_entry().operation.id == following.id
        gate.open.set()
    assert (ended.id, ended.state, ended.description) == (operation.id, State.CANCELLED, "the instance is deleted")


@pytest.mark.parametrize("steps", [True, False])
@pytest.mark.parametrize("end", [Failed("x"), Transient("x"), RuntimeError("x"), Fail("x"), Wait(3600, "x")])
def test_what_an_interrupted_step_says_is_no_failure(desk: Desk, end: Exception | Fail | Wait, steps: bool) -> None:
    entered, finished = threading.Event(), Finished()

    def handle(ctx: Context) -> None:
        def helm(_work: None) -> Outcome:
            entered.set()
            assert ctx.stop.wait(BOUND_S)
            if isinstance(end, Exception):
                raise end
            return end

        if steps or not isinstance(end, Transient | RuntimeError):
            run_steps(ctx, [Step("install", helm)], None)
        else:
            helm(None)

    desk.enqueue()
    with running(quick(desk, handle, finished)):
        assert entered.wait(BOUND_S)
        desk.cancel(description="the instance is deleted")
        (ended,) = finished.wait(1)
    assert (ended.state, ended.description) == (State.CANCELLED, "the instance is deleted")


def test_shutdown_hands_back_what_does_not_end(desk: Desk) -> None:
    gate, finished = Gate(), Finished()
    operation = desk.enqueue()
    with running(quick(desk, gate, finished), grace_s=0.0):
        gate.await_entry()
    left = desk.read(operation)
    assert (left.state, left.attempt, left.fence) == (State.QUEUED, 0, 1)
    with running(quick(desk, at_once, finished, max_attempts=1)):
        (ended,) = finished.wait(1)
    assert (ended.state, ended.attempt, ended.fence) == (State.SUCCEEDED, 1, 2)


class SlowQueue(Queue):
    """Its second claim comes only when the operation of the first was handed back, if it ever is before."""

    def __init__(self, engine: sa.Engine) -> None:
        super().__init__(engine, OPERATIONS)
        self.claims, self.claiming, self.handed_back = 0, threading.Event(), threading.Event()

    def claim(self, *args: Any) -> Any:
        self.claims += 1
        if self.claims == 2:
            self.claiming.set()
            self.handed_back.wait(0.2)
        return super().claim(*args)

    def requeue(self, *args: Any, **options: Any) -> Operation:
        self.handed_back.set()
        return super().requeue(*args, **options)


def test_shutdown_does_not_take_again_what_it_hands_back(desk: Desk) -> None:
    gate, finished, queue = Gate(), Finished(), SlowQueue(desk.engine)
    operation = desk.enqueue()
    with running(Worker(queue, {"work": gate}, on_finish=finished, heartbeat_s=0.01), grace_s=0.0):
        gate.await_entry()
        assert queue.claiming.wait(BOUND_S)
    left = desk.read(operation)
    assert (left.state, left.attempt, left.fence, queue.claims) == (State.QUEUED, 0, 1, 2)


def test_shutdown_waits_for_what_ends_in_time_and_claims_no_more(desk: Desk) -> None:
    gate, finished = Gate(), Finished()
    first, second = desk.enqueue(), desk.enqueue()
    with running(quick(desk, gate, finished)) as stop:
        ctx = gate.await_entry()
        stop.set()
        assert not ctx.stop.wait(0.05)
        gate.open.set()
    assert (desk.read(first).state, desk.read(second).state) == (State.SUCCEEDED, State.QUEUED)


def test_shutdown_leaves_between_steps(desk: Desk) -> None:
    entered, finished = threading.Event(), Finished()

    def first(ctx: Context) -> Done:
        entered.set()
        assert ctx.draining.wait(BOUND_S)
        assert not ctx.stop.is_set()
        return Done()

    def second(_ctx: Context) -> Done:
        raise AssertionError("it has begun")

    def handle(ctx: Context) -> None:
        run_steps(ctx, [Step("first", first), Step("second", second)], ctx)

    operation = desk.enqueue()
    with running(quick(desk, handle, finished)):
        assert entered.wait(BOUND_S)
    left = desk.read(operation)
    assert (left.state, left.attempt, list(left.results)) == (State.QUEUED, 0, ["first"])


def test_leases_are_renewed_while_a_handler_runs(desk: Desk) -> None:
    gate, finished = Gate(), Finished()
    operation = desk.enqueue()
    with running(quick(desk, gate, finished)):
        gate.await_entry()
        first, pause = desk.time_of(operation, "lease_until"), threading.Event()
        end = time.monotonic() + BOUND_S
        while desk.time_of(operation, "lease_until") == first:
            assert not pause.wait(0.01)
            assert time.monotonic() < end, "nobody renewed it"
        gate.open.set()
        (ended,) = finished.wait(1)
    assert ended.fence == 1


def test_a_lease_that_somebody_else_took_is_noticed(desk: Desk) -> None:
    gate, finished = Gate(), Finished()
    operation = desk.enqueue()
    with running(quick(desk, gate, finished)):
        ctx = gate.await_entry()
        desk.change(operation, fence=7)
        assert ctx.stop.wait(BOUND_S)
        with pytest.raises(LeaseLost):
            ctx.check()
    assert finished.operations == []


def test_a_worker_that_takes_its_own_lost_operation_first_leaves_it(desk: Desk) -> None:
    order: list[str] = []
    leave, entered, finished = threading.Event(), threading.Event(), Finished()

    def handle(ctx: Context) -> str:
        order.append(f"enter {ctx.operation.fence}")
        if ctx.operation.fence == 1:
            entered.set()
            assert ctx.stop.wait(BOUND_S)
            assert leave.wait(BOUND_S), "it was not taken over"
            order.append("leave 1")
            ctx.check()
        return "done"

    operation = desk.enqueue()
    with running(quick(desk, handle, finished, heartbeat_s=30.0)):  # nothing but the new claim tells the old one
        assert entered.wait(BOUND_S)
        desk.change(operation, lease_until=0.0)
        while desk.read(operation).fence == 1:
            assert not leave.wait(0.01)
        leave.set()
        finished.wait(1)
    assert order == ["enter 1", "leave 1", "enter 2"]


def test_a_retry_that_is_due_wakes_the_worker(desk: Desk) -> None:
    finished, attempts = Finished(), []

    def handle(ctx: Context) -> str:
        attempts.append(ctx.operation.attempt)
        if ctx.operation.attempt == 1:
            raise Transient("not now", 0.05)
        return "done"

    desk.enqueue()
    with running(quick(desk, handle, finished)):
        finished.wait(1)
    assert attempts == [1, 2]


def test_a_missing_table_does_not_end_the_worker(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    finished = Finished()
    with desk.engine.begin() as conn:
        conn.execute(sa.text("ALTER TABLE operations RENAME TO gone"))
    with running(quick(desk, at_once, finished)):
        end = threading.Event()
        while "cannot look for operations" not in caplog.text:
            assert not end.wait(0.01)
        with desk.engine.begin() as conn:
            conn.execute(sa.text("ALTER TABLE gone RENAME TO operations"))
        desk.enqueue()
        finished.wait(1)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_worker_that_gets_no_more_threads_ends(desk: Desk) -> None:
    """So that its process is restarted; it would hold for ever what it has claimed and cannot begin."""
    finished, raised = Finished(), list[RuntimeError]()
    worker = quick(desk, at_once, finished)

    def run() -> None:
        try:
            worker.run(threading.Event(), 0.0)
        except RuntimeError as error:
            raised.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    desk.enqueue()
    finished.wait(1)
    usual = threading.stack_size(1 << 46)  # more than there is
    try:
        desk.enqueue()
        thread.join(BOUND_S)
    finally:
        threading.stack_size(usual)
    assert [str(error) for error in raised] == [
        "a thread of the worker ended by an error; the process must be restarted"
    ]
