import time
from collections.abc import Callable

import pytest
import sqlalchemy as sa

from helmbroker.durable import Cancelled, Context, Failed, LeaseLost, Operation, Shutdown, State
from tests.operations.harness import Disturbed, Hand
from tests.unit.durable.desk import OWN, Desk, at_once

HandOf = Callable[..., Hand]


@pytest.fixture
def zombie(desk: Desk, hand_of: HandOf) -> Disturbed:
    """A claim whose lease has expired, and which somebody else has taken over."""
    hand = hand_of(at_once)
    desk.enqueue()
    ctx = hand.claim()
    hand.pass_time()
    assert hand.claim() is not None
    assert ctx is not None
    return ctx


def insert(ctx: Context, word: str) -> None:
    with ctx.transaction() as conn:
        conn.execute(OWN.insert().values(word=word))


@pytest.mark.parametrize(
    "write",
    [
        lambda ctx: ctx.save("a", 1),
        lambda ctx: ctx.note("news"),
        lambda ctx: insert(ctx, "zombie"),
        lambda ctx: ctx.still_ours(),
    ],
    ids=["save", "note", "transaction", "still ours"],
)
def test_a_zombie_writes_nothing(desk: Desk, zombie: Disturbed, write: Callable[[Context], None]) -> None:
    before = desk.read(zombie.operation)
    with pytest.raises(LeaseLost):
        write(zombie)
    assert zombie.stop.is_set()
    with pytest.raises(LeaseLost):
        zombie.check()
    assert desk.read(zombie.operation) == before
    assert desk.words() == []


def test_a_zombie_does_not_finish_the_operation(desk: Desk, hand_of: HandOf, zombie: Disturbed) -> None:
    finished: list[Operation] = []
    hand = hand_of(at_once, on_finish=lambda _conn, operation: finished.append(operation))
    hand.worker.perform(zombie)
    assert desk.read(zombie.operation).state is State.RUNNING
    assert finished == []


def insert_and_fail(ctx: Context) -> None:
    with ctx.transaction() as conn:
        conn.execute(OWN.insert().values(word="rolled back"))
        ctx.save("rolled back", 1)
        raise LookupError


def test_the_consumers_writes_and_the_operations_commit_together(desk: Desk, hand_of: HandOf) -> None:
    def handle(ctx: Context) -> str:
        with pytest.raises(LookupError):
            insert_and_fail(ctx)
        with ctx.transaction() as conn, ctx.transaction() as same:
            assert conn is same
            conn.execute(OWN.insert().values(word="kept"))
        return "ok"

    operation = desk.enqueue()
    assert hand_of(handle).turn()
    assert (desk.read(operation).state, desk.read(operation).results) == (State.SUCCEEDED, {})
    assert desk.words() == ["kept"]


def test_on_finish_commits_with_the_outcome(desk: Desk, hand_of: HandOf) -> None:
    def on_finish(conn: sa.Connection, operation: Operation) -> None:
        conn.execute(OWN.insert().values(word=f"{operation.state}: {operation.description}"))

    def handle(ctx: Context) -> str:
        if ctx.operation.params["fails"]:
            raise Failed("no such plan")
        return "ready"

    hand = hand_of(handle, on_finish=on_finish)
    for fails in (False, True, False):
        desk.enqueue(params={"fails": fails})
    assert hand.turn()
    assert hand.turn()
    assert hand.claim() is not None
    desk.cancel()
    hand.pass_time()
    assert hand.turn()
    assert sorted(desk.words()) == ["cancelled: no longer wanted", "failed: no such plan", "succeeded: ready"]


def test_without_on_finish_there_is_no_outcome(
    desk: Desk, hand_of: HandOf, caplog: pytest.LogCaptureFixture
) -> None:
    broken = [True]

    def on_finish(conn: sa.Connection, _operation: Operation) -> None:
        conn.execute(OWN.insert().values(word="half"))
        if broken:
            raise LookupError("canary")

    operation = desk.enqueue()
    hand = hand_of(at_once, on_finish=on_finish)
    assert hand.turn()
    assert desk.read(operation).state is State.RUNNING
    assert desk.words() == []
    assert "the end of the operation could not be stored" in caplog.text
    broken.clear()
    assert hand.run(operation.id).state is State.SUCCEEDED
    assert desk.words() == ["half"]


@pytest.mark.parametrize("how", ["note", "failed", "cancel"])
def test_descriptions_are_one_bounded_printable_line(desk: Desk, hand_of: HandOf, how: str) -> None:
    text = "line 1\nline\t2\x1b[31m \u202e\ud800 ü " + "x" * 2000

    def handle(ctx: Context) -> str:
        if how == "failed":
            raise Failed(text)
        ctx.note(text)
        raise Cancelled

    hand = hand_of(handle)
    operation = desk.enqueue()
    if how == "cancel":
        desk.cancel(description=text)
    if how in {"note", "failed"}:
        assert hand.turn()
    seen = desk.read(operation).description if how != "note" else "line 1 line 2 [31m ü " + "x" * 978 + "…"
    assert seen.startswith("line 1 line 2 [31m ü xxx")
    assert (len(seen), seen[-1], seen.isprintable()) == (1000, "…", True)


def test_a_note_is_written_only_when_it_changed(desk: Desk, hand_of: HandOf) -> None:
    operation = desk.enqueue()
    ctx = hand_of(at_once).claim()
    assert ctx is not None
    ctx.note("one of two\npods is ready")
    assert desk.read(operation).description == "one of two pods is ready"
    desk.change(operation, description="changed behind its back")
    ctx.note("one of two pods is ready")
    assert desk.read(operation).description == "changed behind its back"


def test_what_a_claim_knows(desk: Desk, hand_of: HandOf) -> None:
    desk.enqueue(params={"plan": "small"}, timeout_s=60)
    hand = hand_of(at_once)
    ctx = hand.claim()
    assert ctx is not None
    assert ctx.remaining_s == pytest.approx(60, abs=5)
    ctx.save("a", {"revisions": (1, 2)})
    assert ctx.results == {"a": {"revisions": [1, 2]}}, "as after a restart"
    hand.pass_time()
    again = hand.claim()
    assert again is not None
    assert again.results == ctx.results
    assert again.operation.params == {"plan": "small"}


def test_a_thread_that_was_frozen_leaves_by_itself(desk: Desk, hand_of: HandOf) -> None:
    desk.enqueue()
    ctx = hand_of(at_once).claim()
    assert ctx is not None
    ctx.leave_at = time.monotonic()
    with pytest.raises(LeaseLost):
        ctx.wait(0.001)
    assert ctx.stop.is_set()


def test_what_is_still_ours_may_be_acted_on(desk: Desk, hand_of: HandOf) -> None:
    operation = desk.enqueue()
    ctx = hand_of(at_once).claim()
    assert ctx is not None
    before = desk.read(operation)
    ctx.still_ours()
    assert desk.read(operation) == before
    ctx.leave_at = time.monotonic()  # it is, but not for long enough
    with pytest.raises(LeaseLost):
        ctx.still_ours()


@pytest.mark.parametrize("why", [Cancelled, Shutdown, LeaseLost])
def test_an_interrupted_wait_ends_at_once(
    desk: Desk, hand_of: HandOf, why: type[Cancelled | Shutdown | LeaseLost]
) -> None:
    desk.enqueue()
    ctx = hand_of(at_once).claim()
    assert ctx is not None
    ctx.check()
    ctx.interrupt(why())
    with pytest.raises(why):
        ctx.wait(3600)
    ctx.interrupt(LeaseLost())
    with pytest.raises(LeaseLost):
        ctx.check()
