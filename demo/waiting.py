"""Waiting for conditions: always bounded, and with the reason when it was in vain."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Self, TypeVar

from helmbroker.kubeapi.errors import Unreachable

T = TypeVar("T")

EVERY_S = 0.2


class DemoFailed(Exception):
    """Something was not as it should be; a sentence with the reason."""


def no_reason() -> str:
    """For waits whose sentence says it all."""
    return ""


def until(
    look: Callable[[], T | None],
    *,
    within_s: float,
    what: str,
    why: Callable[[], str] = no_reason,
    every_s: float = EVERY_S,
) -> T:
    """What `look` finds as soon as it is not None. Raises DemoFailed after `within_s`, with what `why` says.

    A cluster that does not answer for a moment is looked at again.
    """
    deadline = time.monotonic() + within_s
    while True:
        unanswered = ""
        try:
            found = look()
        except Unreachable as error:
            found, unanswered = None, str(error)
        if found is not None:
            return found
        if time.monotonic() > deadline:
            reason = unanswered or why()
            raise DemoFailed(f"{what}: not within {within_s:g} s{f': {reason}' if reason else ''}")
        time.sleep(every_s)


def happens(look: Callable[[], bool], *, within_s: float) -> bool:
    """Whether `look` says so before the time is over."""
    deadline = time.monotonic() + within_s
    while not look():
        if time.monotonic() > deadline:
            return False
        time.sleep(EVERY_S)
    return True


class FirstSeen:
    """Looks, in a thread of its own, until something is there; `after_s` says how long that took."""

    def __init__(self, look: Callable[[], bool], *, every_s: float = 0.1) -> None:
        self._look = look
        self._every_s = every_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._began = time.monotonic()
        self.after_s: float | None = None

    def _run(self) -> None:
        while not self._stop.is_set():
            with suppress(Unreachable):
                if self._look():
                    self.after_s = time.monotonic() - self._began
                    return
            self._stop.wait(self._every_s)

    def __enter__(self) -> Self:
        self._began = time.monotonic()
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._stop.set()
        self._thread.join()
