"""Where requests wait for the end of an operation: bounded, on one shared look at the database."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from helmbroker.broker.domain.errors import Stopping, TooManyWaiting, Unavailable
from helmbroker.broker.domain.store_ports import Watch

LOOK_AGAIN_S = 0.1
_AFTER_AN_OUTAGE_S = 1.0

Undo: TypeAlias = Callable[[], None]


class Ending(StrEnum):
    """Why a wait is over."""

    FINISHED = "the operation has ended"
    OVER = "the time is over"
    STOPPED = "the broker is being stopped"


@dataclass(frozen=True)
class Waited:
    """How a wait ended. `undo`: for whom it is the last of those that waited, what stops the operation."""

    ending: Ending
    undo: Undo | None = None


@dataclass
class _Operation:
    """One that is waited for."""

    waiting: int = 0
    undo: Undo | None = None
    finished: bool = False
    changed: threading.Event = field(default_factory=threading.Event)


class WaitingRoom:
    """At most `most` requests wait, each at most `wait_s` seconds; all end when `stopping` is set. Thread-safe.

    While somebody waits, one thread looks at all operations together, with one query on one connection; while
    nobody waits there is neither. A request that waits holds a thread of the web server and nothing else.
    """

    def __init__(
        self,
        watch: Callable[[], AbstractContextManager[Watch]],
        stopping: threading.Event,
        *,
        most: int,
        wait_s: float,
    ) -> None:
        self._watch, self._stopping, self._wait_s = watch, stopping, wait_s
        self._places = threading.BoundedSemaphore(most)
        self._lock = threading.Lock()
        self._operations: dict[str, _Operation] = {}
        self._looker: threading.Thread | None = None

    @contextmanager
    def place(self) -> Iterator[None]:
        """Room for one that waits, had before anything is recorded. Raises TooManyWaiting, Stopping."""
        if self._stopping.is_set():
            raise Stopping
        if not self._places.acquire(blocking=False):
            raise TooManyWaiting
        try:
            yield
        finally:
            self._places.release()

    def wait(self, operation_id: str, undo: Undo | None = None) -> Waited:
        """Until the operation has ended, the time is over, or the broker is being stopped.

        undo: what is to be done about an operation that does not end in time. When several wait for the same
        one, the last of them gets it: who came later shall not lose what it waits for.
        """
        operation = self._enter(operation_id, undo)
        operation.changed.wait(self._wait_s)
        last = self._leave(operation_id, operation)
        if operation.finished:
            return Waited(Ending.FINISHED)
        if self._stopping.is_set():
            return Waited(Ending.STOPPED)
        return Waited(Ending.OVER, operation.undo if last else None)

    def _enter(self, operation_id: str, undo: Undo | None) -> _Operation:
        with self._lock:
            if self._looker is None:
                looker = threading.Thread(target=self._look, name="waiting-room", daemon=True)
                looker.start()
                self._looker = looker
            operation = self._operations.setdefault(operation_id, _Operation())
            operation.waiting += 1
            operation.undo = undo or operation.undo
        return operation

    def _leave(self, operation_id: str, operation: _Operation) -> bool:
        """Whether nobody else waits for it."""
        with self._lock:
            operation.waiting -= 1
            if operation.waiting == 0 and self._operations.get(operation_id) is operation:
                del self._operations[operation_id]
            return operation.waiting == 0

    def _look(self) -> None:
        """Until nobody waits, or the broker is being stopped. A fault of ours ends all waits, not those to come."""
        try:
            self._look_again()
        finally:
            with self._lock:
                if self._looker is threading.current_thread():
                    self._end_waits()

    def _look_again(self) -> None:
        while True:
            try:
                with self._watch() as watch:
                    while waited_for := self._waited_for():
                        self._tell(watch.finished(waited_for))
                        self._stopping.wait(LOOK_AGAIN_S)
            except Unavailable:  # the log has it; who waits can wait on
                self._stopping.wait(_AFTER_AN_OUTAGE_S)
                if self._waited_for():
                    continue
            return

    def _waited_for(self) -> frozenset[str]:
        """What to look at. None: this thread looks no more; whoever comes next begins anew."""
        with self._lock:
            if self._operations and not self._stopping.is_set():
                return frozenset(self._operations)
            self._end_waits()
            return frozenset()

    def _end_waits(self) -> None:
        """With the lock held."""
        for operation in self._operations.values():
            operation.changed.set()
        self._operations.clear()
        self._looker = None

    def _tell(self, finished: frozenset[str]) -> None:
        with self._lock:
            for operation_id in finished & self._operations.keys():
                operation = self._operations.pop(operation_id)
                operation.finished = True
                operation.changed.set()
