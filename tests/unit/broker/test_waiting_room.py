"""The room where requests wait: real threads, and a database of which the test says what it answers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from helmbroker.broker.domain.errors import Stopping, TooManyWaiting, Unavailable
from helmbroker.broker.service.waiting import Ending, Waited, WaitingRoom

BOUND_S = 20.0
FINISHED, STOPPED, OVER = Waited(Ending.FINISHED), Waited(Ending.STOPPED), Waited(Ending.OVER)


class Database:
    """Answers what has ended; knows what it was asked, and how many look at it at the same time."""

    def __init__(self) -> None:
        self.ended: set[str] = set()
        self.asked: list[frozenset[str]] = []
        self.looking = self.most_looking = self.outages = self.faults = 0
        self._changed = threading.Condition()

    @contextmanager
    def watch(self) -> Iterator[Database]:
        with self._changed:
            self.looking += 1
            self.most_looking = max(self.looking, self.most_looking)
        try:
            yield self
        finally:
            with self._changed:
                self.looking -= 1
                self._changed.notify_all()

    def finished(self, operation_ids: frozenset[str]) -> frozenset[str]:
        with self._changed:
            self.asked.append(operation_ids)
            self._changed.notify_all()
            if self.outages:
                self.outages -= 1
                raise Unavailable("away")
            if self.faults:
                self.faults -= 1
                raise RuntimeError("nobody thought of this")
            return operation_ids & self.ended

    def end(self, *operation_ids: str) -> None:
        with self._changed:
            self.ended |= set(operation_ids)

    def until(self, condition: Callable[[], bool]) -> None:
        with self._changed:
            assert self._changed.wait_for(condition, BOUND_S)

    def until_asked_for(self, *operation_ids: str) -> None:
        self.until(lambda: bool(self.asked) and self.asked[-1] == set(operation_ids))


class House:
    """A room, and threads that wait in it."""

    def __init__(self, pool: ThreadPoolExecutor, *, most: int = 50, wait_s: float = BOUND_S) -> None:
        self.database, self.stopping, self._pool = Database(), threading.Event(), pool
        self.room = WaitingRoom(self.database.watch, self.stopping, most=most, wait_s=wait_s)

    def wait(self, operation_id: str, undo: Callable[[], None] | None = None) -> Future[Waited]:
        return self._pool.submit(self.room.wait, operation_id, undo)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(50) as made:
        yield made


@pytest.fixture
def house(pool: ThreadPoolExecutor) -> Iterator[House]:
    made = House(pool)
    yield made
    made.stopping.set()


def test_each_is_told_when_its_operation_has_ended(house: House) -> None:
    one, two = house.wait("one"), house.wait("two")
    house.database.until_asked_for("one", "two")
    house.database.end("two")
    assert two.result(BOUND_S) == FINISHED
    assert not one.done()
    house.database.end("one")
    assert one.result(BOUND_S) == FINISHED


def test_one_looks_for_all_and_nobody_looks_when_nobody_waits(house: House) -> None:
    for _ in range(3):
        waiting = [house.wait(str(number)) for number in range(50)]
        house.database.until_asked_for(*map(str, range(50)))
        house.database.end(*map(str, range(50)))
        assert {each.result(BOUND_S) for each in waiting} == {FINISHED}
        house.database.until(lambda: house.database.looking == 0)
        house.database.ended.clear()
    assert house.database.most_looking == 1


def test_what_has_ended_before_somebody_waits_is_told_too(house: House) -> None:
    house.database.end("one")
    assert house.wait("one").result(BOUND_S) == FINISHED


@pytest.mark.parametrize("waiting", [1, 3])
def test_the_last_whose_time_is_over_has_to_undo(pool: ThreadPoolExecutor, waiting: int) -> None:
    """Who began it and who only joined: it is stopped once, when nobody waits for it any more."""
    house, undo = House(pool, wait_s=0.3), threading.Event().set
    results = [house.wait("one", undo if number == 0 else None) for number in range(waiting)]
    found = [each.result(BOUND_S) for each in results]
    assert sorted(each.undo is undo for each in found) == [False] * (waiting - 1) + [True]
    assert {each.ending for each in found} == {Ending.OVER}


def test_what_none_of_those_who_waited_had_begun_is_not_undone(pool: ThreadPoolExecutor) -> None:
    assert House(pool, wait_s=0).wait("one").result(BOUND_S) == OVER


def test_an_outage_is_waited_out(house: House) -> None:
    house.database.outages = 1
    house.database.end("one")
    assert house.wait("one").result(BOUND_S) == FINISHED


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_fault_of_ours_ends_the_waits_but_not_those_to_come(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = threading.Event()
    monkeypatch.setattr(threading, "excepthook", lambda _fault: told.set())
    house.database.faults = 1
    assert house.wait("one").result(BOUND_S) == OVER
    assert told.wait(BOUND_S)
    house.database.end("one")
    assert house.wait("one").result(BOUND_S) == FINISHED


def test_all_waits_end_when_the_broker_is_stopped(house: House) -> None:
    waiting = [house.wait(str(number % 3)) for number in range(6)]
    house.database.until_asked_for("0", "1", "2")
    house.stopping.set()
    assert {each.result(BOUND_S) for each in waiting} == {STOPPED}
    assert house.wait("late").result(BOUND_S) == STOPPED
    house.database.until(lambda: house.database.looking == 0)
    with pytest.raises(Stopping), house.room.place():
        pass


def test_there_is_room_for_so_many(pool: ThreadPoolExecutor) -> None:
    house = House(pool, most=1)
    for _ in range(2):
        with house.room.place(), pytest.raises(TooManyWaiting), house.room.place():
            pass
