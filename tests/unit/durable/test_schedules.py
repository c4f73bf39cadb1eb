"""Schedules are operations that never finish."""

from collections.abc import Callable

import pytest

from helmbroker.durable import (
    Cancelled,
    Context,
    Done,
    Failed,
    Handler,
    Operation,
    Shutdown,
    State,
    Step,
    Transient,
    run_steps,
)
from tests.operations.harness import Hand
from tests.unit.durable.desk import OPERATIONS, Desk, Finished, at_once, quick, running

ID = "schedule:work"


@pytest.fixture
def run(desk: Desk) -> Callable[..., tuple[Operation, float]]:
    """Makes a schedule of an hour and lets `handler` have one claim of it; what is there then, due in how long."""

    def one_claim(handler: Handler, **options: int) -> tuple[Operation, float]:
        schedule(desk)
        hand = Hand(desk.engine, OPERATIONS, {"work": handler}, **options)
        assert hand.turn()
        after = hand.operation(ID)
        return after, desk.time_of(after, "run_at") - after.created_at

    return one_claim


def schedule(desk: Desk, every_s: float = 3600.0, kind: str = "work") -> None:
    with desk.engine.begin() as conn:
        desk.queue.schedule(conn, kind, every_s)


def raises(error: Exception) -> Handler:
    def handle(_ctx: Context) -> str:
        raise error

    return handle


@pytest.mark.parametrize(
    ("handler", "told"),
    [
        (at_once, "done"),
        (lambda _ctx: "3 bindings have expired", "3 bindings have expired"),
        (raises(Failed("no such table")), "no such table"),
        (raises(Cancelled()), "cancelled"),
        (raises(LookupError("canary")), f"internal error in work; the log has the cause under operation {ID}"),
    ],
)
def test_every_end_is_followed_by_the_next_run(
    run: Callable[..., tuple[Operation, float]], handler: Handler, told: str
) -> None:
    after, due_s = run(handler)
    assert (after.state, after.attempt, after.description) == (State.QUEUED, 0, told)
    assert due_s == pytest.approx(3600, abs=10)
    assert after.finished_at == pytest.approx(after.created_at, abs=10)
    assert after.deadline - after.created_at == pytest.approx(7200, abs=10)


def test_a_run_that_fails_for_now_is_repeated_before_its_period_is_over(
    run: Callable[..., tuple[Operation, float]],
) -> None:
    after, due_s = run(raises(Transient("the cluster is away")))
    assert (after.state, after.attempt, after.finished_at) == (State.QUEUED, 1, None)
    assert due_s < 60


def test_the_last_attempt_ends_the_run_and_not_the_schedule(run: Callable[..., tuple[Operation, float]]) -> None:
    after, due_s = run(raises(Transient("the cluster is away")), max_attempts=1)
    assert (after.state, after.attempt) == (State.QUEUED, 0)
    assert after.description == "gave up after 1 attempts: the cluster is away"
    assert due_s == pytest.approx(3600, abs=10)


def test_poison_is_said_and_tried_again_after_the_period(desk: Desk) -> None:
    schedule(desk)
    hand = Hand(desk.engine, OPERATIONS, {"work": at_once})
    for _ in range(8):
        hand.pass_time()
        assert hand.claim() is not None  # and its worker dies
    hand.pass_time()
    assert hand.turn()
    said = hand.operation(ID)
    assert (said.state, said.attempt) == (State.QUEUED, 0)
    assert said.description.startswith("gave up after 8 attempts")
    hand.pass_time()
    assert hand.turn()
    assert hand.operation(ID).description == "done"


def test_a_shutdown_is_no_end(run: Callable[..., tuple[Operation, float]]) -> None:
    after, _ = run(raises(Shutdown()))
    assert (after.state, after.finished_at, after.attempt) == (State.QUEUED, None, 0)


def test_each_run_does_all_steps(desk: Desk) -> None:
    ran: list[int] = []

    def one(ctx: Context) -> Done:
        ran.append(ctx.operation.fence)
        return Done()

    def handle(ctx: Context) -> None:
        run_steps(ctx, [Step("one", one)], ctx)

    schedule(desk)
    hand = Hand(desk.engine, OPERATIONS, {"work": handle})
    for _ in range(2):
        hand.pass_time()
        assert hand.turn()
    assert ran == [1, 2]


def test_a_passed_deadline_does_not_end_it(desk: Desk) -> None:
    schedule(desk)
    hand = Hand(desk.engine, OPERATIONS, {"work": raises(Transient("away"))})
    desk.change(hand.operation(ID), deadline=0.0)
    assert hand.turn()
    after = hand.operation(ID)
    assert (after.state, after.description) == (State.QUEUED, "gave up, its time is over: away")
    assert after.deadline > after.created_at


def test_it_is_made_once_and_a_changed_period_takes_effect(desk: Desk) -> None:
    hand = Hand(desk.engine, OPERATIONS, {"work": at_once})
    schedule(desk)
    assert hand.turn()
    before = hand.operation(ID)
    schedule(desk)
    assert desk.time_of(before, "run_at") - before.created_at == pytest.approx(3600, abs=10)
    schedule(desk, 60.0)
    after = hand.operation(ID)
    assert (after.seq, after.description, after.every_s) == (before.seq, "done", 60.0)
    assert desk.time_of(after, "run_at") - after.created_at == pytest.approx(60, abs=10)
    schedule(desk, 7200.0)
    assert desk.time_of(after, "run_at") - after.created_at == pytest.approx(60, abs=10), "no later than was said"
    hand.pass_time()
    assert hand.turn()
    assert desk.time_of(after, "run_at") - after.created_at == pytest.approx(7200, abs=10)


def test_a_restart_disturbs_no_run(desk: Desk) -> None:
    schedule(desk)
    hand = Hand(desk.engine, OPERATIONS, {"work": at_once})
    ctx = hand.claim()
    assert ctx is not None
    schedule(desk)
    ctx.still_ours()
    assert hand.claim() is None
    hand.worker.perform(ctx)
    assert hand.operation(ID).description == "done"


def test_restarts_do_not_put_off_the_end_of_a_run(desk: Desk) -> None:
    """Who kills its worker at work ends it so: afterwards such deaths count."""
    schedule(desk)
    hand = Hand(desk.engine, OPERATIONS, {"work": at_once}, max_attempts=2)
    assert hand.claim() is not None
    before = hand.operation(ID)
    desk.change(before, deadline=before.deadline - 7200.0)
    schedule(desk)
    assert hand.operation(ID).deadline == before.deadline - 7200.0
    hand.pass_time()
    assert hand.turn()
    assert hand.operation(ID).deadline - before.created_at == pytest.approx(7200, abs=10), "it is the next run's"


def test_one_that_was_cancelled_comes_back(desk: Desk) -> None:
    schedule(desk)
    desk.cancel(ID)
    schedule(desk)
    hand = Hand(desk.engine, OPERATIONS, {"work": at_once})
    assert hand.turn()
    assert hand.operation(ID).description == "done"


def test_a_schedule_that_nobody_knows_any_more_harms_nobody(desk: Desk) -> None:
    schedule(desk, kind="of another version")
    operation, finished = desk.enqueue(), Finished()
    with running(quick(desk, at_once, finished)):
        assert [ended.id for ended in finished.wait(1)] == [operation.id]


def test_workers_run_it_again_and_again_and_nobody_is_told_an_end(desk: Desk) -> None:
    finished, runs = Finished(), Finished()

    def handle(ctx: Context) -> str:
        with desk.engine.begin() as conn:
            runs(conn, ctx.operation)
        return "done"

    workers = [quick(desk, handle, finished, schedules={"work": 0.02}) for _ in range(2)]
    with running(workers[0]), running(workers[1]):
        seen = list(runs.wait(5))
    assert finished.operations == []
    assert len({operation.fence for operation in seen}) == len(seen), "each run is one claim"
    assert {operation.attempt for operation in seen} == {1}
