"""Runs one operation again and again, and disturbs it once at every place where it meets the world.

A run in peace finds the places: every call of a port, before and after, and every write of the operation's worker,
before, inside (nothing is committed) and after. Then each disturbance that can happen at a place (`How`) happens
there, in a world that is put back to where it was. The end must be that of the run in peace; or, where that cannot
be, a clean failure or cancellation after which DELETE leaves nothing.

A row of the tables in test_everywhere.py is a `Trial`. What is new has to be in one: a test compares them with the
kinds of operations that workers know. How many are tried says HELMBROKER_SWEEP_MOST.
"""

from __future__ import annotations

import os
import random
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from unittest.mock import patch

import sqlalchemy as sa

from helmbroker.durable import Cancelled, Operation, State
from tests.operations.course import MOST_PLACES, Context, Course, Moment, Place
from tests.operations.harness import Dies, Hand

SECRET = "a text that nobody may see"
MOST = int(
    os.environ.get("HELMBROKER_SWEEP_MOST", "20")
)  # disturbances of one kind of operation; `make sweep`: all


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
            trial.course.overtaken()
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
        for _ in range(MOST_PLACES):
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
