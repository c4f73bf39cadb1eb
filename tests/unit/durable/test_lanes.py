"""Operations of different lanes of a subject run beside each other; an exclusive one (no lane) runs alone."""

import itertools
import threading
from collections.abc import Callable

import pytest
import sqlalchemy as sa

from helmbroker.durable import Context, Operation, State
from tests.operations.harness import Hand
from tests.unit.durable.desk import BOUND_S, OPERATIONS, Desk, Finished, Gate, at_once, quick, running

HandOf = Callable[..., Hand]
LANES = ("", "a", "b")
PAIRS = list(itertools.product(LANES, LANES))


def together(one: str, other: str) -> bool:
    """Whether operations of these lanes may run at the same time."""
    return bool(one and other and one != other)


def in_lanes(desk: Desk, *lanes: str) -> list[Operation]:
    return [desk.enqueue(lane=lane) for lane in lanes]


def claimed(hand: Hand) -> list[str]:
    """Ids of all that can be claimed now."""
    found = []
    while (ctx := hand.claim()) is not None:
        found.append(ctx.operation.id)
    return found


@pytest.mark.parametrize("pair", PAIRS)
def test_what_may_be_claimed_beside_what(desk: Desk, hand_of: HandOf, pair: tuple[str, str]) -> None:
    first, second = in_lanes(desk, *pair)
    assert (first.lane, second.lane) == pair
    hand = hand_of(at_once)
    assert claimed(hand) == [first.id, second.id][: 1 + together(*pair)]
    assert first.excludes(second) is not together(*pair)


@pytest.mark.parametrize("pair", PAIRS)
def test_the_database_refuses_two_that_exclude_each_other(desk: Desk, pair: tuple[str, str]) -> None:
    first, second = in_lanes(desk, *pair)
    desk.change(first, state=State.RUNNING)
    if together(*pair):
        desk.change(second, state=State.RUNNING)
        return
    with pytest.raises(sa.exc.IntegrityError):
        desk.change(second, state=State.RUNNING)
    desk.change(second, subject="another", state=State.RUNNING)
    with pytest.raises(sa.exc.IntegrityError):
        desk.change(second, subject=first.subject)


@pytest.mark.parametrize("pair", PAIRS)
def test_the_database_refuses_them_at_once_too(desk: Desk, pair: tuple[str, str]) -> None:
    in_lanes(desk, *pair)
    both = OPERATIONS.update().values(state=State.RUNNING)
    with desk.engine.connect() as conn:
        if together(*pair):
            conn.execute(both)
            return
        with pytest.raises(sa.exc.IntegrityError):
            conn.execute(both)


@pytest.mark.parametrize("pair", PAIRS)
def test_the_database_refuses_a_row_that_is_born_running(desk: Desk, pair: tuple[str, str]) -> None:
    (first,) = in_lanes(desk, pair[0])
    with desk.engine.begin() as conn:
        row = conn.execute(sa.select(OPERATIONS)).one()._asdict()
    desk.change(first, state=State.RUNNING)
    born = OPERATIONS.insert().values(**row | {"seq": 999, "id": "born", "lane": pair[1], "state": State.RUNNING})
    with desk.engine.connect() as conn:
        if together(*pair):
            conn.execute(born)
            return
        with pytest.raises(sa.exc.IntegrityError):
            conn.execute(born)


def test_other_subjects_are_not_concerned(desk: Desk, hand_of: HandOf) -> None:
    ids = [desk.enqueue(subject=subject, lane=lane).id for subject, lane in itertools.product("xy", ("", "a"))]
    assert claimed(hand_of(at_once)) == [ids[0], ids[2]]


def test_an_exclusive_one_is_not_overtaken_and_waits_for_all_before_it(desk: Desk, hand_of: HandOf) -> None:
    hand = hand_of(at_once)
    a, b, alone, later = in_lanes(desk, "a", "b", "", "c")
    running_now = [hand.claim(), hand.claim()]
    assert [ctx and ctx.operation.id for ctx in running_now] == [a.id, b.id]
    assert hand.claim() is None, "neither the exclusive one, nor what came after it"
    for ctx in running_now:
        assert ctx is not None
        hand.worker.perform(ctx)
    ctx = hand.claim()
    assert ctx is not None
    assert ctx.operation.id == alone.id
    assert hand.claim() is None
    hand.worker.perform(ctx)
    assert claimed(hand) == [later.id]


def test_one_that_waits_for_its_retry_holds_up_its_lane_and_exclusive_ones_alone(
    desk: Desk, hand_of: HandOf
) -> None:
    waits, _same_lane, other_lane, _alone = in_lanes(desk, "a", "a", "b", "")
    desk.change(waits, run_at=9e9)
    assert claimed(hand_of(at_once)) == [other_lane.id]


def test_code_that_knows_no_lanes_makes_exclusive_operations(desk: Desk) -> None:
    operation = desk.enqueue(lane="a")
    with desk.engine.begin() as conn:
        row = conn.execute(sa.select(OPERATIONS)).one()._asdict()
        del row["lane"], row["seq"]
        conn.execute(OPERATIONS.insert().values(**row | {"id": "old"}))
        found = desk.queue.get(conn, "old")
    assert (operation.lane, found and found.lane) == ("a", "")


def test_lanes_of_a_subject_run_at_the_same_time_and_exclusive_ones_alone(desk: Desk) -> None:
    gate, finished, alone = Gate(), Finished(), threading.Event()

    def handle(ctx: Context) -> str:
        if not ctx.operation.lane:
            alone.set()
            return "alone"
        assert not alone.is_set()
        return gate(ctx)

    in_lanes(desk, "a", "b", "c", "")
    with running(quick(desk, handle, finished)):
        for _ in range(3):
            gate.await_entry()
        assert not alone.wait(0.05)
        gate.open.set()
        finished.wait(4)
    assert [operation.lane for operation in finished.operations][-1] == ""


def test_an_exclusive_claim_waits_for_lost_claims_of_every_lane(desk: Desk) -> None:
    """They are in this very process, and on their way out."""
    entered, leave, order = threading.Semaphore(0), threading.Event(), []
    finished = Finished()

    def handle(ctx: Context) -> str:
        if ctx.operation.lane:
            entered.release()
            assert ctx.stop.wait(BOUND_S)
            assert leave.wait(BOUND_S)
        order.append(ctx.operation.lane)
        return "done"

    in_lanes(desk, "a", "b")
    with running(quick(desk, handle, finished, heartbeat_s=30.0)):
        assert entered.acquire(timeout=BOUND_S)
        assert entered.acquire(timeout=BOUND_S)
        with desk.engine.begin() as conn:
            conn.execute(OPERATIONS.update().values(state=State.FAILED))
        alone = desk.enqueue()
        while not desk.read(alone).fence:
            assert not leave.wait(0.01)
        leave.set()
        finished.wait(1)
    assert sorted(order[:2]) == ["a", "b"]
    assert order[2:] == [""]
