"""What is written down of who did what, and who acts now. Names of parameters, never a value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from helmbroker.broker.domain.credentials import Parameters
from helmbroker.catalog.model import NOTHING, Object

_MOST_NAMES, _LONGEST_NAME = 100, 100


class Outcome(StrEnum):
    """What became of it. The word is stored."""

    ACCEPTED = "accepted"  # an operation has begun
    DONE = "done"  # at once, or an operation that has succeeded
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class Actor:
    """Who acts: `platform:NAME`, `operator:NAME` or `broker`. origin: on whose behalf, as the platform says."""

    name: str
    origin: str | None = None


BROKER = Actor("broker")  # by itself: schedules, and the end of operations
_ACTING: ContextVar[Actor] = ContextVar("acting", default=BROKER)


@contextmanager
def acting(actor: Actor) -> Iterator[None]:
    """Within, what this thread has recorded is recorded as done by `actor`."""
    token = _ACTING.set(actor)
    try:
        yield
    finally:
        _ACTING.reset(token)


def who() -> Actor:
    """Who acts in this thread."""
    return _ACTING.get()


@dataclass(frozen=True)
class Event:
    """What happened to which thing. detail: public, as JSON."""

    action: str
    outcome: Outcome
    instance_id: str | None = None
    binding_id: str | None = None
    operation_id: str | None = None
    detail: Object = field(default_factory=lambda: NOTHING)


@dataclass(frozen=True)
class Entry:
    """A row of the audit. at: seconds since the epoch on the database's clock; hash: of it and all before it."""

    seq: int
    at: float
    actor: Actor
    event: Event
    hash: str


@dataclass(frozen=True)
class Verdict:
    """How the audit was found. last: number and hash of its last row; faults: sentences, none when it is whole."""

    rows: int
    last: tuple[int, str]
    faults: tuple[str, ...]


def names(parameters: Parameters) -> list[str]:
    """Of all parameters, those inside others with dots; the first 100, each cut to 100 characters."""
    return _bounded({path for path, _ in _leaves(parameters.reveal(), "")})


def changed_names(before: Parameters, after: Parameters) -> list[str]:
    """Of the parameters that were set, changed or taken away; as `names`."""
    old, new = (dict(_leaves(each.reveal(), "")) for each in (before, after))
    return _bounded({path for path in {*old, *new} if (path in old, old.get(path)) != (path in new, new.get(path))})


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and (value or not path):
        for name, each in value.items():
            yield from _leaves(each, f"{path}.{name}" if path else str(name))
    else:
        yield path, value


def _bounded(found: set[str]) -> list[str]:
    return [name[:_LONGEST_NAME] for name in sorted(found)[:_MOST_NAMES]]
