"""Which workers live, as they have told last."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

SEEN_S = 30.0  # a worker that has not told for so long is not counted on; it tells every 10 s


@dataclass(frozen=True)
class WorkerSeen:
    """A worker process as it told of itself last. Seconds since the epoch, on the database's clock."""

    owner: str
    host: str
    started_at: float
    seen_at: float
    now: float

    @property
    def lives(self) -> bool:
        return self.now - self.seen_at <= SEEN_S


def living(seen: Sequence[WorkerSeen]) -> str:
    """How many live, for people; of none also when the last one was seen."""
    number = sum(worker.lives for worker in seen)
    if number:
        return str(number)
    latest = min((worker.now - worker.seen_at for worker in seen), default=None)
    return "none" if latest is None else f"none; the last one was seen {latest:.0f} s ago"
