"""Days of a worker's schedules in seconds: the database has the test's clock, which goes on to what is due next."""

from __future__ import annotations

import sqlite3
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import pairwise

import sqlalchemy as sa

from helmbroker.database import Presence, reader
from helmbroker.durable import Observer, Operation, State
from helmbroker.durable.model import SCHEDULE
from tests.operations.harness import Hand

HOUR_S, DAY_S = 3600.0, 86400.0
_EPOCH_DAYS = 2440587.5  # as a Julian day
_ATOM_S = 0.001  # a Julian day is exact to 40 microseconds: a moment later what was due is due


class DatabaseClock:
    """What SQLite takes for the time; it begins now, for rows that are there already."""

    def __init__(self) -> None:
        self.now = time.time()

    def rule(self, engine: sa.Engine) -> None:
        """From now on in every connection of the engine."""

        def replace(connection: sqlite3.Connection, _record: object) -> None:
            connection.create_function("julianday", 1, lambda _word: self.now / DAY_S + _EPOCH_DAYS)

        sa.event.listen(engine, "connect", replace)
        engine.dispose()


class Month:
    """A worker with its schedules. `make_hand`: starts it, with an observer, as often as it is restarted.

    periods: kind -> seconds. `ran`: when each schedule ran, on the database's clock; `told`: how its runs ended;
    `ended`: how many other operations did, by kind and state.
    """

    def __init__(self, clock: DatabaseClock, make_hand: Callable[..., Hand], periods: Mapping[str, float]) -> None:
        self.clock, self._make_hand, self._periods = clock, make_hand, periods
        self.ran: dict[str, list[float]] = defaultdict(list)
        self.told: dict[str, set[str]] = defaultdict(set)
        self.ended: Counter[tuple[str, State]] = Counter()
        self.restart()

    def restart(self) -> None:
        """Another worker begins, as `Worker.run` does: it sees to it that the schedules are there."""
        self.hand = self._make_hand(observed=self._observed)
        Presence(self.hand.engine, self.hand.queue.workers).tell()
        with self.hand.engine.begin() as conn:
            for kind, every_s in self._periods.items():
                self.hand.queue.schedule(conn, kind, every_s)

    def die(self) -> str:
        """The worker is killed when it has just claimed what is due next, and is started anew; what that was."""
        self.clock.now += max(self._due_in_s(), 0.0) + _ATOM_S
        ctx = self.hand.claim()
        assert ctx is not None
        self.restart()
        return ctx.operation.kind

    def pass_time(self, seconds: float) -> None:
        """Everything that becomes due in that time is done when it is due."""
        end = self.clock.now + seconds
        while (due := self.clock.now + max(self._due_in_s(), 0.0)) <= end:
            self.clock.now = due + _ATOM_S
            assert self.hand.turn(), "what is due cannot be claimed"
        self.clock.now = max(self.clock.now, end)

    def live(self, day: Callable[[int], None], *, dies: int, sleeps: int, sleeps_s: float) -> str:
        """31 days, each with a worker of its own. Before day `dies` one is killed at a schedule, whose kind is
        returned; before day `sleeps` the machine sleeps. Every evening nothing waits, and at the end there is no
        more in any table than after ten days, where a week is kept; audit rows are never deleted.
        """
        rows, killed = [], ""
        for number in range(31):
            if number == dies:
                killed = self.die()
            if number == sleeps:
                self.clock.now += sleeps_s
            day(number)
            assert self._unfinished() == set()
            rows.append(self._rows())
            self.restart()
        audited = [each.pop("audit") for each in rows]
        assert audited[30] - audited[29] == audited[9] - audited[8], (
            "schedules that have nothing to do are not audited"
        )
        # one a day left over would be 21; retention leaves for its next run what belongs to an instance at work
        grown = {name: (n, rows[30][name]) for name, n in rows[9].items() if abs(rows[30][name] - n) > 2}
        assert not grown, f"rows after ten days, and after 31: {grown}"
        return killed

    def _unfinished(self) -> set[str]:
        """Ids of operations that wait or run; schedules always do."""
        t = self.hand.table.c
        with reader(self.hand.engine).connect() as conn:
            ids = conn.scalars(sa.select(t.id).where(t.state.in_([State.QUEUED, State.RUNNING])))
            return {each for each in ids if not each.startswith(SCHEDULE)}

    def _rows(self) -> dict[str, int]:
        """How many there are in each table of the database."""
        names = sa.inspect(self.hand.engine).get_table_names()
        with reader(self.hand.engine).connect() as conn:
            return {
                name: conn.scalar(sa.select(sa.func.count()).select_from(sa.table(name))) or 0 for name in names
            }

    def gaps(self, kind: str) -> list[int]:
        """How many seconds lie between a run and the next one."""
        return [round(after - before) for before, after in pairwise(self.ran[kind])]

    def late(self, kind: str) -> list[int]:
        """By how many seconds runs came later than they were due, where they did. None may come too early."""
        every_s = round(self._periods[kind])
        assert min(self.gaps(kind)) >= every_s, "two runs for one slot"
        return [gap - every_s for gap in self.gaps(kind) if gap > every_s]

    def _due_in_s(self) -> float:
        with reader(self.hand.engine).connect() as conn:
            return self.hand.queue.due_in_s(conn, frozenset(self.hand.worker.handlers))

    @contextmanager
    def _observed(self, operation: Operation) -> Iterator[Observer]:
        yield _Noting(self, operation)


class _Noting(Observer):
    """Writes down how claims end."""

    def __init__(self, month: Month, operation: Operation) -> None:
        self._month, self._operation, self._began = month, operation, month.clock.now

    def left(self, after: Operation | None) -> None:
        assert after is not None, "nobody else works"
        if self._operation.every_s is not None:
            assert after.attempt == 0, f"it has to be tried again: {after.description}"
            self._month.ran[after.kind].append(self._began)
            self._month.told[after.kind].add(after.description)
        elif after.state.finished:
            self._month.ended[after.kind, after.state] += 1
