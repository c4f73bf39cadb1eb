"""The cache lock of an app: who is about to deploy holds it, and requests wait for it, up to two minutes."""

from __future__ import annotations

import threading

LONGEST_S = 120.0


class CacheLock:
    """One app's. waited: set as soon as somebody has to wait. longest_s: seconds after which they give up."""

    def __init__(self, longest_s: float = LONGEST_S) -> None:
        self.longest_s, self.waited = longest_s, threading.Event()
        self._held, self._free = False, threading.Condition()

    def __deepcopy__(self, _memo: object) -> CacheLock:
        """Of an app that is put back to a moment at which nobody held it."""
        return CacheLock(self.longest_s)

    def acquire(self) -> bool:
        """False: somebody else has held it all the time."""
        with self._free:
            if self._held:
                self.waited.set()
            if not self._free.wait_for(lambda: not self._held, self.longest_s):
                return False
            self._held = True
            return True

    def release(self) -> None:
        """Let the next one in."""
        with self._free:
            self._held = False
            self._free.notify()
