"""The words of durable operations: their states, one operation as read from its row, and how its code may end."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Generic, NamedTuple, TypeAlias, TypeVar

JSON: TypeAlias = bool | int | float | str | Sequence["JSON"] | Mapping[str, "JSON"] | None
W = TypeVar("W")
SCHEDULE = "schedule:"  # what ids and subjects of schedules begin with
_DESCRIPTION_CHARACTERS = 1000


class State(StrEnum):
    """Where an operation stands. QUEUED also while it waits for its retry."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def finished(self) -> bool:
        return self in {State.SUCCEEDED, State.FAILED, State.CANCELLED}


@dataclass(frozen=True)
class Operation:
    """One row, as read. Times are seconds since the epoch on the database's clock.

    `attempt` counts claims from 1 on, as `Queue.claim` says; waiting and handing back take theirs away again.
    """

    seq: int
    id: str
    kind: str
    subject: str
    params: Mapping[str, JSON] = field(repr=False)
    state: State
    description: str  # public: what it does, what it waits for, or why it failed
    results: Mapping[str, JSON] = field(repr=False)  # by name of the finished step
    attempt: int
    fence: int  # grows with every claim; a write that carries an older one is refused
    cancel_requested: bool
    created_at: float
    deadline: float
    finished_at: float | None  # of a schedule: when its last run ended
    lane: str = ""
    carrier: Mapping[str, JSON] = field(default_factory=dict, repr=False)  # of whoever asked for it; kept, not read

    @property
    def every_s(self) -> float | None:
        """The period of a schedule; None: it is none."""
        return float(str(self.params["every_s"])) if self.id.startswith(SCHEDULE) else None

    def excludes(self, other: "Operation") -> bool:
        """Whether the two must not run at the same time."""
        return self.subject == other.subject and (not self.lane or not other.lane or self.lane == other.lane)


class Conflict(Exception):
    """An operation with this id exists, and asks for something else."""


class Failed(Exception):
    """The operation cannot succeed; `reason` is the public sentence that says why."""

    def __init__(self, reason: str) -> None:
        self.reason = reason


class Transient(Exception):
    """The operation should be tried again, after `after_s` seconds (None: growing pauses); `reason` is public."""

    def __init__(self, reason: str, after_s: float | None = None) -> None:
        self.reason, self.after_s = reason, after_s


class Interrupted(Exception):
    """The operation has to leave its thread now. Handlers let it pass."""


class Cancelled(Interrupted):
    """Somebody asked for the operation to end."""


class LeaseLost(Interrupted):
    """Another worker has, or may soon have, this operation: nothing of it may be touched any more."""


class Later(Interrupted):
    """The operation waits for `after_s` seconds without occupying a thread, and then is claimed anew."""

    def __init__(self, after_s: float = 0.0) -> None:
        self.after_s = after_s


class Shutdown(Later):
    """This worker ends; the operation goes on in another one, at once."""


class Done(NamedTuple):
    """The step has reached its goal; `result` is stored and the step is not run again."""

    result: JSON = None


class Wait(NamedTuple):
    """The step's goal is not reached yet: look again in `after_s` seconds; `reason` is public."""

    after_s: float
    reason: str


class Fail(NamedTuple):
    """The step can never reach its goal; `reason` is public."""

    reason: str


Outcome: TypeAlias = Done | Wait | Fail


class Step(NamedTuple, Generic[W]):
    """One row of an operation's table. `run` observes, then converges: it may run twice, and half a time."""

    name: str
    run: Callable[[W], Outcome]


class Observer:
    """Learns of one claim of an operation, in the thread that runs it. This one does nothing about it."""

    def step(self, name: str) -> None:
        """This step is looked at, for the first time or again."""

    def left(self, after: Operation | None) -> None:
        """The claim is over, and the operation now stored like this. None: the lease was lost.

        After a run of a schedule has ended, `state` is how; its row is queued again.
        """


def plain(value: JSON) -> Any:
    """`value` as it comes back from the database. Raises TypeError or ValueError when it is not JSON."""
    return json.loads(json.dumps(value, allow_nan=False))


def public(text: str) -> str:
    """`text` as a description: one line of printable characters, at most 1000 of them."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= _DESCRIPTION_CHARACTERS else line[: _DESCRIPTION_CHARACTERS - 1] + "…"
