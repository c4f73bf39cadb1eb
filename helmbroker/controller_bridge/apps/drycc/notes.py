"""What the bridge keeps about releases it asked a controller for: who asked, why, and which one it was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Note:
    """Written before the request is sent, so that a lost answer is found again. Holds no values of variables."""

    key: str  # the operation that asks
    base: int  # the newest release before
    author: str
    summary: str
    removed: tuple[str, ...] = ()  # config groups
    version: int | None = None  # None: not known yet
    reason: str = ""  # why it failed
    waits: bool = False  # nobody deploys it by itself: it takes back what was never deployed either


class Notes(Protocol):
    """Notes by app and key."""

    def find(self, app: str, key: str) -> Note | None:
        """The note of an operation."""
        ...

    def all(self, app: str) -> Sequence[Note]:
        """Those of an app whose release is known."""
        ...

    def begin(self, app: str, note: Note) -> int | None:
        """Write it down; a note with this key that has no release yet is replaced.

        The release that it has, when another worker had the operation meanwhile: then nothing is written.
        """
        ...

    def made(self, app: str, key: str, version: int) -> None:
        """Its release is known."""
        ...

    def failed(self, app: str, version: int, reason: str) -> None:
        """Why that release failed."""
        ...
