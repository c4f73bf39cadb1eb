"""The course of one operation: every place where it meets the world, and worlds that can be put back."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from tests.operations.harness import Disturbed

MOST_PLACES = 400
# what others see; frozen in the middle of such a call (not before it), a worker may still have its effect
ACTS = frozenset(
    [f"helm.{verb}" for verb in ("deploy", "rollback", "uninstall")]
    + [f"cluster.{verb}" for verb in ("sweep", "keep", "forget", "put_back")]
    + [f"broker.{verb}" for verb in ("provision", "deprovision", "bind", "unbind")]
    + [f"apps.{verb}" for verb in ("change_config", "rollback", "recover", "settle", "offer")]
    + [f"controller.{verb}" for verb in ("change", "roll_back")]
)


class Moment(StrEnum):
    """When, in a call or in a write."""

    BEFORE = "before"
    INSIDE = "before the commit of"
    AFTER = "after"


@dataclass(frozen=True)
class Place:
    """The n-th meeting of the operation with the world."""

    number: int
    what: str  # "helm.deploy", "write"
    moment: Moment
    arguments: tuple[Any, ...] = ()

    @property
    def port(self) -> str:
        return self.what.partition(".")[0]

    def __str__(self) -> str:
        return f"{self.number}: {self.moment} {self.what}"


class Course:
    """The places that the watched operation comes to; `meet` is called at each."""

    def __init__(self) -> None:
        self.meet: Callable[[Place, Context], None] | None = None
        self.wrong = ""
        self._ctx: Context | None = None
        self._overtaken: Context | None = None
        self._calls = self._depth = 0
        self._frozen_in: int | None = None
        self._passed = 0

    @contextmanager
    def watched(self, ctx: Context) -> Iterator[None]:
        self._ctx = ctx
        try:
            yield
        finally:
            self._ctx = None

    @contextmanager
    def unwatched(self) -> Iterator[None]:
        """What others do in between is no part of the course."""
        ctx, self._ctx = self._ctx, None
        try:
            yield
        finally:
            self._ctx = ctx

    @contextmanager
    def calling(self) -> Iterator[None]:
        """A call of a port; those that it makes in its turn belong to it."""
        self._calls += self._depth == 0
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1

    def begin(self, meet: Callable[[Place, Context], None]) -> None:
        self.meet, self._passed, self._overtaken, self.wrong = meet, 0, None, ""

    def overtaken(self) -> None:
        """From here on nothing of this claim may be seen by others, but the call in which it was frozen."""
        self._overtaken = self._ctx
        self._frozen_in = self._calls if self._depth else None

    def come_to(self, what: str, moment: Moment, arguments: tuple[Any, ...] = ()) -> None:
        if self._ctx is None or self.meet is None:
            return
        place = Place(self._passed, what, moment, arguments)
        self._passed += 1
        assert self._passed < MOST_PLACES, "it does not end"
        acted = self._overtaken is self._ctx and what in ACTS and moment is Moment.AFTER
        if acted and self._calls != self._frozen_in:
            self.wrong = f"what was taken over goes on: {place}"
        self.meet(place, self._ctx)


class Context(Disturbed):
    """A claim whose writes are places, and whose pauses cost no time."""

    course = Course()  # of nobody

    @contextmanager
    def transaction(self, *, lock: bool = True) -> Iterator[sa.Connection]:
        if self._open is not None:
            with super().transaction() as conn:
                yield conn
            return
        self.course.come_to("write", Moment.BEFORE)
        with super().transaction(lock=lock) as conn:
            yield conn
            self.course.come_to("write", Moment.INSIDE)
        self.course.come_to("write", Moment.AFTER)

    def wait(self, seconds: float) -> None:
        self.check()


class Watched:
    """A port whose calls are places."""

    def __init__(self, port: object, name: str, course: Course) -> None:
        self._port, self._name, self._course = port, name, course

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._port, name)
        if not callable(found):
            return found
        what = f"{self._name}.{name}"

        def call(*args: Any, **kwargs: Any) -> Any:
            with self._course.calling():
                self._course.come_to(what, Moment.BEFORE, args)
                result = found(*args, **kwargs)
                self._course.come_to(what, Moment.AFTER, args)
                return result

        return call


# whose rows stay: the last two are only ever added to, and the database sees to it
_KEPT = frozenset({"alembic_version", "audit", "audit_head"})


class Rows:
    """All rows of a database, to be put back."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine, metadata = engine, sa.MetaData()
        metadata.reflect(engine)
        self._tables = [table for table in metadata.sorted_tables if table.name not in _KEPT]
        with engine.begin() as conn:
            self._rows = {
                t.name: [dict(row) for row in conn.execute(sa.select(t)).mappings()] for t in self._tables
            }

    def put_back(self) -> None:
        with self._engine.begin() as conn:
            for table in reversed(self._tables):
                conn.execute(table.delete())
            for table in self._tables:
                if rows := self._rows[table.name]:
                    conn.execute(table.insert(), rows)


class Memory:
    """The attributes of fakes, to be put back."""

    def __init__(self, *fakes: object, keep: frozenset[str] = frozenset()) -> None:
        self._fakes, self._keep = fakes, keep
        self._taken = [self._copied(fake) for fake in fakes]

    def put_back(self) -> None:
        for fake, taken in zip(self._fakes, self._taken, strict=True):
            fake.__dict__.update(copy.deepcopy(taken))

    def _copied(self, fake: object) -> dict[str, Any]:
        return copy.deepcopy({name: value for name, value in fake.__dict__.items() if name not in self._keep})
