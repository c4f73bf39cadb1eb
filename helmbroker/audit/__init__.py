"""Who did what: the words that the audits of broker and bridge have in common. The rows are in `chain`."""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

_MOST_NAMES, _LONGEST_NAME = 100, 100


class Outcome(StrEnum):
    """What became of it. The word is stored."""

    ACCEPTED = "accepted"  # an operation has begun
    DONE = "done"  # at once, or an operation that has succeeded
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class Actor:
    """Who acts: `platform:NAME`, `user:NAME`, `operator:NAME`, or the program itself.

    origin: on whose behalf, as the platform says.
    """

    name: str
    origin: str | None = None


_ACTING: ContextVar[Actor | None] = ContextVar("acting", default=None)


@contextmanager
def acting(actor: Actor) -> Iterator[None]:
    """Within, what this thread has recorded is recorded as done by `actor`."""
    token = _ACTING.set(actor)
    try:
        yield
    finally:
        _ACTING.reset(token)


def who(by_itself: Actor) -> Actor:
    """Who acts in this thread; nobody: the program `by_itself`, for schedules and the ends of operations."""
    return _ACTING.get() or by_itself


def operator() -> Actor:
    """Who has typed the command, as the operating system knows it."""
    try:
        name = getpass.getuser()
    except (OSError, KeyError):  # a container's user of whom only the number is known
        name = str(os.getuid())
    return Actor(f"operator:{name}@{socket.gethostname()}")


@dataclass(frozen=True)
class Verdict:
    """How an audit was found. last: number and hash of its last row; faults: sentences, none when it is whole."""

    rows: int
    last: tuple[int, str]
    faults: tuple[str, ...]


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every value inside objects, by its path with dots."""
    if isinstance(value, Mapping) and (value or not path):
        for name, each in value.items():
            yield from leaves(each, f"{path}.{name}" if path else str(name))
    else:
        yield path, value


def bounded(names: set[str]) -> list[str]:
    """The first 100, each cut to 100 characters."""
    return [name[:_LONGEST_NAME] for name in sorted(names)[:_MOST_NAMES]]


def names(values: Mapping[str, Any]) -> list[str]:
    """Of all values, those inside others with dots, bounded; never a value."""
    return bounded({path for path, _ in leaves(values)})
