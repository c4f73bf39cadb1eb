"""Runs one operation again and again, and disturbs it once at every place where it meets the world.

A run in peace finds the places: every call of a port, before and after, and every write of the operation's worker,
before, inside (nothing is committed) and after. Then each disturbance that can happen at a place (`How`) happens
there, in a world that is put back to where it was. The end must be that of the run in peace; or, where that cannot
be, a clean failure or cancellation after which DELETE leaves nothing.

A row of the tables in test_everywhere.py is a `Trial`. What is new has to be in one: a test compares them with the
kinds of operations that workers know.
"""

from __future__ import annotations

import copy
import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from unittest.mock import patch

import sqlalchemy as sa

from helmbroker.durable import Cancelled, Operation, State
from tests.operations.harness import Dies, Disturbed, Hand

SECRET = "a text that nobody may see"
_MOST_PLACES = 400
# what others see; frozen in the middle of such a call (not before it), a worker may still have its effect
ACTS = frozenset(
    [f"helm.{verb}" for verb in ("deploy", "rollback", "uninstall")]
    + [f"cluster.{verb}" for verb in ("sweep", "keep", "forget", "put_back")]
    + [f"broker.{verb}" for verb in ("provision", "deprovision", "bind", "unbind")]
    + [f"apps.{verb}" for verb in ("change_config", "rollback", "recover", "settle")]
)


class Moment(StrEnum):
    """When, in a call or in a write."""

    BEFORE = "before"
    INSIDE = "before the commit of"
    AFTER = "after"


class How(StrEnum):
    """What happens at a place."""

    DIES = "the worker dies"
    TORN = "the worker dies, and helm half-way with it"
    HELM_KILLED = "helm is killed half-way"
    TAKEN_OVER = "the worker freezes, another ends its work, it wakes up"
    OUTAGE = "the database goes away"
    AWAY = "whom it calls does not answer, or the answer is lost"
    REFUSED = "it is refused for good"
    BUG = "an exception that nobody expects"
    CANCELLED = "it is cancelled, and hears of it"
    CANCELLED_UNHEARD = "it is cancelled, and does not hear of it"
    CANCELLED_DIES = "it is cancelled, and the worker dies"


GOES_ON = frozenset({How.DIES, How.TORN, How.HELM_KILLED, How.TAKEN_OVER, How.OUTAGE, How.AWAY})
CANCELS = frozenset({How.CANCELLED, How.CANCELLED_UNHEARD, How.CANCELLED_DIES})


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
        self._frozen_in = ""
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

    def begin(self, meet: Callable[[Place, Context], None]) -> None:
        self.meet, self._passed, self._overtaken, self.wrong = meet, 0, None, ""

    def overtaken(self, place: Place) -> None:
        """From here on nothing of this claim may be seen by others, but the call in which it was frozen."""
        self._overtaken = self._ctx
        self._frozen_in = place.what if place.moment is Moment.BEFORE else ""

    def come_to(self, what: str, moment: Moment, arguments: tuple[Any, ...] = ()) -> None:
        if self._ctx is None or self.meet is None:
            return
        place = Place(self._passed, what, moment, arguments)
        self._passed += 1
        assert self._passed < _MOST_PLACES, "it does not end"
        if self._overtaken is self._ctx and what in ACTS and moment is Moment.AFTER:
            if what != self._frozen_in:
                self.wrong = f"what was taken over goes on: {place}"
            self._frozen_in = ""
        self.meet(place, self._ctx)


class Context(Disturbed):
    """A claim whose writes are places, and whose pauses cost no time."""

    course = Course()  # of nobody

    @contextmanager
    def transaction(self) -> Iterator[sa.Connection]:
        if self._open is not None:
            with super().transaction() as conn:
                yield conn
            return
        self.course.come_to("write", Moment.BEFORE)
        with super().transaction() as conn:
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
            self._course.come_to(what, Moment.BEFORE, args)
            result = found(*args, **kwargs)
            self._course.come_to(what, Moment.AFTER, args)
            return result

        return call


class Rows:
    """All rows of a database, to be put back."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine, metadata = engine, sa.MetaData()
        metadata.reflect(engine)
        self._tables = [table for table in metadata.sorted_tables if table.name != "alembic_version"]
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


class Trial(ABC):
    """An operation that waits for its worker, in a world that can be put back to this moment."""

    hand: Hand
    course: Course
    operation_id: str
    can_be_cancelled: bool

    @abstractmethod
    def put_back(self) -> None: ...

    @abstractmethod
    def observe(self) -> object:
        """What must be the same at every end."""

    @abstractmethod
    def cancel(self) -> str | None:
        """Ask for what stops it: the id of that operation; None when nothing stops it."""

    @abstractmethod
    def remove(self) -> object:
        """DELETE, and what is left then: nothing, so it must be empty or false."""

    @abstractmethod
    def away(self, port: str) -> Exception | None: ...

    @abstractmethod
    def refuses(self, port: str) -> Exception | None: ...

    def tear(self, place: Place) -> Exception:
        """Leave what a program leaves that dies in the middle of this call; what its caller then hears."""
        raise NotImplementedError(place)

    def only_removable(self, place: Place, how: How) -> bool:
        """Whether no more is promised there than that DELETE leaves nothing; that has to have a reason."""
        del place, how
        return False


@dataclass(frozen=True)
class Peace:
    """How it goes when nothing happens."""

    end: Operation
    world: object
    places: Sequence[Place]


def peace(trial: Trial, state: State) -> Peace:
    """Run it undisturbed."""
    places: list[Place] = []
    trial.put_back()
    trial.course.begin(lambda place, _ctx: places.append(place))
    end = _run(trial)
    assert end.state is state, end.description
    assert places, "it meets nobody"
    world = trial.observe()
    with trial.course.unwatched():
        left = trial.remove()
    assert not left, left
    return Peace(end, world, places)


def disturbances(trial: Trial, places: Sequence[Place]) -> list[tuple[Place, How]]:
    """All that can happen."""
    return [(place, how) for place in places for how in How if _possible(trial, place, how)]


def sample(pairs: Sequence[tuple[Place, How]], most: int, name: str) -> list[tuple[Place, How]]:
    """So many of them, all over the course; always the same for a name."""
    return random.Random(name).sample(pairs, min(most, len(pairs)))  # noqa: S311 - for a test, not for a secret


def pairs_of(pairs: Sequence[tuple[Place, How]], count: int, name: str) -> list[list[tuple[Place, How]]]:
    """So many combinations of two that go on after the first, in the order in which they happen."""
    chance = random.Random(name)  # noqa: S311
    first = [pair for pair in pairs if pair[1] in GOES_ON]
    found = [[chance.choice(first), chance.choice(pairs)] for _ in range(count)]
    return [sorted(each, key=lambda pair: pair[0].number) for each in found]


def assert_survives(trial: Trial, calm: Peace, *disturbed: tuple[Place, How]) -> None:
    """Assert that it ends well, or cleanly, though all these happen, each once and in their order."""
    trial.put_back()
    left = list(disturbed)
    removers: list[str] = []

    def meet(place: Place, ctx: Context) -> None:
        if left and place.number >= left[0][0].number and _fits(place, left[0][0]):
            _, how = left.pop(0)
            _happens(trial, place, ctx, how, removers)

    trial.course.begin(meet)
    end = _run(trial)
    hows = {how for _, how in disturbed}
    told = f"{' and '.join(f'{place}: {how}' for place, how in disturbed)}\nended {end}\nin peace {calm.end}"
    assert SECRET not in end.description, told
    assert not trial.course.wrong, f"{told}\n{trial.course.wrong}"
    if hows <= GOES_ON and not any(trial.only_removable(*each) for each in disturbed):
        assert end.state is calm.end.state, told
        assert dict(end.results) == dict(calm.end.results), told
        assert trial.observe() == calm.world, f"{told}\nleft {trial.observe()}\nin peace {calm.world}"
        return  # what DELETE leaves of that, `peace` has seen
    if not hows & CANCELS:
        assert end.state in {State.FAILED, calm.end.state}, told
    for remover in removers:
        ended = trial.hand.run(remover)
        assert ended.state is State.SUCCEEDED, f"{told}\nremover {ended}"
    nothing = trial.remove()
    assert not nothing, f"{told}\nleft behind {nothing}"


def _possible(trial: Trial, place: Place, how: How) -> bool:
    write, inside = place.what == "write", place.moment is Moment.INSIDE
    match how:
        case How.OUTAGE:
            return write
        case How.TORN | How.HELM_KILLED | How.REFUSED if write or place.moment is not Moment.BEFORE:
            return False
        case How.TORN | How.HELM_KILLED:
            return place.what in {"helm.deploy", "helm.rollback", "helm.uninstall"}
        case How.AWAY:
            return not write and trial.away(place.port) is not None
        case How.REFUSED:
            return trial.refuses(place.port) is not None
        case How.BUG:
            return not write
        case How.TAKEN_OVER:
            return not inside  # the row is locked there: nobody takes it over
        case How.CANCELLED | How.CANCELLED_UNHEARD | How.CANCELLED_DIES:
            return not inside and trial.can_be_cancelled
        case _:
            return True


def _fits(place: Place, wanted: Place) -> bool:
    return (place.what, place.moment) == (wanted.what, wanted.moment)


def _happens(trial: Trial, place: Place, ctx: Context, how: How, removers: list[str]) -> None:
    match how:
        case How.DIES:
            raise Dies
        case How.TORN:
            trial.tear(place)
            raise Dies
        case How.HELM_KILLED:
            raise trial.tear(place)
        case How.OUTAGE:
            raise sa.exc.OperationalError("COMMIT", {}, Exception("the server closed the connection"))
        case How.AWAY | How.REFUSED:
            error = (trial.away if how is How.AWAY else trial.refuses)(place.port)
            assert error is not None
            raise error
        case How.BUG:
            raise RuntimeError(SECRET)
        case How.TAKEN_OVER:
            ctx.leave_at = float("-inf")
            with trial.course.unwatched():
                trial.hand.run(trial.operation_id)
            trial.course.overtaken(place)
            if place.port == "helm":
                ctx.expire()  # its guard has ended it meanwhile
        case _:
            with trial.course.unwatched():
                remover = trial.cancel()
            removers += [] if remover is None else [remover]
            if how is How.CANCELLED_DIES:
                raise Dies
            if how is How.CANCELLED:
                ctx.interrupt(Cancelled())


def _run(trial: Trial) -> Operation:
    """As `Hand.run`, but what this operation's claims come to is watched."""
    hand = trial.hand
    with patch("time.sleep"):  # an outage of the database is waited for
        for _ in range(_MOST_PLACES):
            if hand.operation(trial.operation_id).state.finished:
                return hand.operation(trial.operation_id)
            hand.pass_time()
            ctx = hand.claim()
            assert isinstance(ctx, Context), f"nothing can be claimed: {hand.operation(trial.operation_id)}"
            ctx.course = trial.course
            mine = ctx.operation.id == trial.operation_id
            with suppress(Dies), trial.course.watched(ctx) if mine else trial.course.unwatched():
                hand.worker.perform(ctx)
    raise AssertionError("it does not end")
