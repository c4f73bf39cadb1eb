"""What has to be looked at, and when: each thing once, however often it is asked for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Agenda(Generic[Item]):
    """Thread-safe. clock: seconds that only grow."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._due: dict[Item, float] = {}
        self._changed = threading.Condition()
        self._closed = False

    def add(self, item: Item, in_s: float = 0.0) -> None:
        """Ask for it in so many seconds; when it is asked for earlier already, then."""
        with self._changed:
            due = self._clock() + in_s
            self._due[item] = min(due, self._due.get(item, due))
            self._changed.notify()

    def take(self, wait_s: float | None = None) -> Item | None:
        """The next that is due, taken off; waits for it. None: closed, or none within `wait_s` seconds."""
        until = None if wait_s is None else self._clock() + wait_s
        with self._changed:
            while not self._closed:
                now = self._clock()
                item = min(self._due, key=self._due.__getitem__, default=None)
                if item is not None and self._due[item] <= now:
                    del self._due[item]
                    return item
                if until is not None and until <= now:
                    return None
                ends = [each for each in (until, None if item is None else self._due[item]) if each is not None]
                self._changed.wait(min(ends) - now if ends else None)
        return None

    def close(self) -> None:
        """Nothing is taken any more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
