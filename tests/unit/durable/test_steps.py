import logging
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import sqlalchemy as sa

from helmbroker.durable import (
    Context,
    Done,
    Fail,
    Failed,
    Outcome,
    Queue,
    State,
    Step,
    Transient,
    Wait,
    run_steps,
)
from tests.operations.harness import LEASE_S, Case, Dies, Hand, assert_same_end
from tests.unit.durable.desk import OPERATIONS, Desk, Seen, at_once

HandOf = Callable[..., Hand]


class Work:
    """What the steps of these tests work on: a list of what ran, and the outcomes they were told to have."""

    def __init__(self, *outcomes: Outcome | BaseException) -> None:
        self.ran: list[str] = []
        self._outcomes = list(outcomes)

    def step(self, name: str) -> Step["Work"]:
        def run(work: "Work") -> Outcome:
            work.ran.append(name)
            outcome = work._outcomes.pop(0) if work._outcomes else Done(f"result of {name}")
            if isinstance(outcome, BaseException):
                raise outcome
            return outcome

        return Step(name, run)

    def handler(self, *names: str) -> Callable[[Context], str]:
        def handle(ctx: Context) -> str:
            run_steps(ctx, [self.step(name) for name in names], self)
            return "all steps done"

        return handle


def test_steps_run_in_order_and_their_results_are_stored(desk: Desk, hand_of: HandOf) -> None:
    work, operation = Work(), desk.enqueue()
    assert hand_of(work.handler("a", "b")).turn()
    after = desk.read(operation)
    assert (after.state, after.description) == (State.SUCCEEDED, "all steps done")
    assert after.results == {"a": "result of a", "b": "result of b"}
    assert after.finished_at is not None
    assert work.ran == ["a", "b"]


def test_finished_steps_are_not_repeated_after_a_crash(desk: Desk, hand_of: HandOf) -> None:
    work, operation = Work(Done(1), Dies()), desk.enqueue()
    hand = hand_of(work.handler("a", "b", "c"))
    with pytest.raises(Dies):
        hand.turn()
    assert desk.read(operation).state is State.RUNNING
    assert hand.run(operation.id).state is State.SUCCEEDED
    assert work.ran == ["a", "b", "b", "c"]


def test_two_steps_of_one_name_are_refused(desk: Desk, hand_of: HandOf) -> None:
    desk.enqueue()
    ctx = hand_of(Work().handler("a")).claim()
    assert ctx is not None
    with pytest.raises(ValueError, match="same name"):
        run_steps(ctx, [Work().step("a"), Work().step("a")], Work())


def test_a_short_wait_keeps_the_thread(desk: Desk, hand_of: HandOf) -> None:
    work, operation = Work(Wait(0.001, "one of two pods is ready"), Done()), desk.enqueue()
    hand = hand_of(work.handler("a"))
    assert hand.turn()
    after = desk.read(operation)
    assert (after.state, after.fence, work.ran) == (State.SUCCEEDED, 1, ["a", "a"])


def test_a_long_wait_gives_the_slot_back_and_is_no_attempt(desk: Desk, hand_of: HandOf) -> None:
    work, operation = Work(*[Wait(5, "the image\nis pulled")] * 20), desk.enqueue()
    later = desk.enqueue()
    hand = hand_of(work.handler("a"), max_attempts=2)
    assert hand.turn()
    waiting = desk.read(operation)
    assert (waiting.state, waiting.description, waiting.attempt) == (State.QUEUED, "the image is pulled", 0)
    assert not hand.turn(), "it is not due, and nobody overtakes it"
    assert hand.run(operation.id).state is State.SUCCEEDED
    assert desk.read(operation).attempt == 1
    assert desk.read(later).state is State.QUEUED


@pytest.mark.osb(97)
@pytest.mark.parametrize("after_s", [0.0, 30.0])
def test_waiting_ends_at_the_deadline_with_the_last_reason(desk: Desk, hand_of: HandOf, after_s: float) -> None:
    work = Work(*[Wait(after_s, "pod x: ImagePullBackOff")] * 1_000_000)
    operation = desk.enqueue(timeout_s=0.4)  # enough to be claimed once
    after = hand_of(work.handler("a")).run(operation.id)
    assert after.state is State.FAILED
    assert after.description == "gave up after 0 s, still waiting: pod x: ImagePullBackOff"


def test_a_step_can_fail(desk: Desk, hand_of: HandOf) -> None:
    operation = desk.enqueue()
    assert hand_of(Work(Fail("the chart is not allowed to create a ClusterRole")).handler("a", "b")).turn()
    after = desk.read(operation)
    assert (after.state, after.description) == (State.FAILED, "the chart is not allowed to create a ClusterRole")


@pytest.mark.parametrize("error", [Transient("the API server is away", 7.0), ConnectionError("canary")])
def test_a_transient_failure_is_tried_again(desk: Desk, hand_of: HandOf, error: Exception) -> None:
    work, operation = Work(error), desk.enqueue()
    hand = hand_of(work.handler("a"), transient=(ConnectionError,))
    assert hand.turn()
    waiting = desk.read(operation)
    assert (waiting.state, waiting.attempt) == (State.QUEUED, 1)
    assert waiting.description in {
        "the API server is away",
        "step a met a temporary failure (ConnectionError)",
    }
    assert not hand.turn(), "there is a pause"
    after = hand.run(operation.id)
    assert (after.state, after.attempt, work.ran) == (State.SUCCEEDED, 2, ["a", "a"])


def test_transient_failures_end_after_the_last_attempt(desk: Desk, hand_of: HandOf) -> None:
    cleaned: list[str] = []
    work, operation = Work(*[Transient("the API server is away")] * 9), desk.enqueue()

    def handle(ctx: Context) -> str:
        try:
            return work.handler("a")(ctx)
        except Failed as error:
            cleaned.append(error.reason)
            raise

    after = hand_of(handle, max_attempts=3).run(operation.id)
    assert (after.state, len(work.ran)) == (State.FAILED, 3)
    assert after.description == "gave up after 3 attempts: the API server is away"
    assert cleaned == [after.description], "the handler has cleaned up, once"


@pytest.mark.osb(97)
def test_transient_failures_end_at_the_deadline(desk: Desk, hand_of: HandOf) -> None:
    operation = desk.enqueue(timeout_s=-1)
    after = hand_of(Work(Transient("the API server is away", 3600.0)).handler("a")).run(operation.id)
    assert (after.state, after.description) == (
        State.FAILED,
        "gave up, its time is over: the API server is away",
    )


def test_a_retry_is_not_put_off_beyond_the_deadline(desk: Desk, hand_of: HandOf) -> None:
    operation = desk.enqueue(timeout_s=60)
    assert hand_of(Work(Transient("the API server is away", 3600.0)).handler("a")).turn()
    assert desk.time_of(operation, "run_at") == pytest.approx(operation.deadline, abs=1.0)


@pytest.mark.osb(97)
def test_crashes_at_once_count_as_attempts(desk: Desk, hand_of: HandOf) -> None:
    work, operation = Work(*[Dies() for _ in range(9)]), desk.enqueue()
    after = hand_of(work.handler("poison"), max_attempts=3).run(operation.id)
    assert (after.state, len(work.ran)) == (State.FAILED, 3)
    assert after.description == "gave up after 3 attempts; the last one: waiting for its turn"


@pytest.mark.osb(97)
@pytest.mark.parametrize("work", ["renewed its lease", "finished a step"])
def test_after_a_worker_that_died_at_work_attempts_begin_anew(desk: Desk, hand_of: HandOf, work: str) -> None:
    operation, hand = desk.enqueue(), hand_of(at_once, max_attempts=3)
    for _ in range(2):
        assert hand.claim() is not None  # its worker dies at once
        hand.pass_time()
    assert desk.read(operation).attempt == 2
    for _ in range(9):
        ctx = hand.claim()
        assert ctx is not None
        if work == "finished a step":
            ctx.save("a", None)
        else:  # later than its claim
            desk.change(operation, run_at=desk.time_of(operation, "run_at") - 2.0)
            assert hand.queue.renew({ctx.operation.seq: ctx.operation.fence}, LEASE_S)
        desk.age(operation, LEASE_S)
    assert (desk.read(operation).attempt, desk.read(operation).fence) == (1, 11)
    assert hand.run(operation.id).state is State.SUCCEEDED


@pytest.mark.parametrize(("its_lease_s", "next_lease_s"), [(60.0, 600.0), (600.0, 60.0)])
@pytest.mark.parametrize(("at_work", "attempt"), [(True, 1), (False, 2)])
def test_it_does_not_hang_on_the_lease_of_who_takes_over(
    desk: Desk, hand_of: HandOf, its_lease_s: float, next_lease_s: float, at_work: bool, attempt: int
) -> None:
    """While the setting is changed, workers have different ones."""
    operation, queue, kinds = desk.enqueue(), hand_of(at_once).queue, frozenset({"work"})
    assert queue.claim("who dies", kinds, its_lease_s)
    if at_work:
        desk.change(operation, run_at=desk.time_of(operation, "run_at") - 2.0)
        assert queue.renew({operation.seq: 1}, its_lease_s)
    desk.age(operation, its_lease_s)
    claimed = queue.claim("the next", kinds, next_lease_s)
    assert claimed is not None
    assert claimed[0].attempt == attempt


@pytest.mark.osb(97)
def test_after_the_deadline_every_crash_is_an_attempt(desk: Desk, hand_of: HandOf) -> None:
    operation, hand = desk.enqueue(timeout_s=-1.0), hand_of(at_once, max_attempts=3)
    for attempt in (1, 2, 3):
        ctx = hand.claim()
        assert ctx is not None
        assert ctx.operation.attempt == attempt
        ctx.save("a", None)
        desk.age(operation, LEASE_S)
    assert hand.turn()
    after = desk.read(operation)
    assert (after.state, after.description) == (
        State.FAILED,
        "gave up after 3 attempts; the last one: waiting for its turn",
    )


def test_the_text_of_an_unexpected_exception_is_never_public(
    desk: Desk, hand_of: HandOf, caplog: pytest.LogCaptureFixture
) -> None:
    operation = desk.enqueue(params={"password": "canary in parameters"})
    assert hand_of(Work(RuntimeError("canary in exception")).handler("render values")).turn()
    after = desk.read(operation)
    sentence = f"internal error in step render values; the log has the cause under operation {operation.id}"
    assert (after.state, after.description) == (State.FAILED, sentence)
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert record.exc_info is not None
    assert "canary in exception" in caplog.text
    assert "canary in parameters" not in caplog.text


def test_an_observer_learns_of_each_claim_and_step(desk: Desk, hand_of: HandOf) -> None:
    operation, seen = desk.enqueue(subject="s"), Seen()
    hand = hand_of(Work(Transient("not now", 0.0)).handler("a", "b"), observed=seen)
    hand.run(operation.id)
    assert seen.told == [
        ("claimed", 1),
        ("step", "a"),
        ("left", State.QUEUED),
        ("claimed", 2),
        ("step", "a"),
        ("step", "b"),
        ("left", State.SUCCEEDED),
    ]


def test_a_carrier_is_kept_and_makes_no_conflict(engine: sa.Engine) -> None:
    """Who asks again for the same operation may belong to another trace."""
    carriers = iter([{"trace": "1"}, {"trace": "2"}])
    queue = Queue(engine, OPERATIONS, lambda: next(carriers))
    for _ in range(2):
        with engine.begin() as conn:
            found = queue.enqueue(conn, id="o", kind="work", subject="s", params={}, timeout_s=9.0)
        assert found.carrier == {"trace": "1"}


class Counter:
    """A world for `assert_same_end`: a folder of files, one per step."""

    def __init__(self, folder: Path, *, converges: bool) -> None:
        self._folder, self._converges = folder, converges
        self._waited = False
        folder.mkdir()

    def steps(self) -> Sequence[Step["Counter"]]:
        return [Step(name, lambda world, name=name: world.make(name)) for name in ("a", "b")]  # type: ignore[misc]

    def make(self, name: str) -> Outcome:
        if not self._waited:
            self._waited = True
            return Wait(30, "not ready")
        place = self._folder / name
        place.write_text("1" if self._converges or not place.exists() else "made twice")
        return Done(name)

    def observe(self) -> object:
        return {path.name: path.read_text() for path in self._folder.iterdir()}


@pytest.mark.parametrize("converges", [True, False])
def test_the_harness_finds_steps_that_must_not_be_repeated(
    tmp_path: Path, hand_of: HandOf, desk: Desk, converges: bool
) -> None:
    cases: list[Counter] = []

    def make_case() -> Case:
        world = Counter(tmp_path / f"world-{len(cases)}", converges=converges)
        cases.append(world)
        hand = hand_of(lambda ctx: run_steps(ctx, world.steps(), world))
        return Case(hand, desk.enqueue().id, world.observe)

    if converges:
        assert_same_end(make_case)
        assert len(cases) == 1 + 2 * 6
    else:
        with pytest.raises(AssertionError, match="made twice"):
            assert_same_end(make_case)
