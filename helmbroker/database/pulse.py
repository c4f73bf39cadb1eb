"""When an engine was last used, and when the database last answered: whether a process still does anything."""

import time
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa


class Pulse:
    """Of one engine and its options; whichever thread uses it. Costs two assignments per statement."""

    def __init__(self, engine: sa.Engine, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._tried = self._answered = clock()
        sa.event.listen(engine, "do_connect", self._try)  # also when there is nobody to connect to
        sa.event.listen(engine, "before_cursor_execute", self._try)
        sa.event.listen(engine, "after_cursor_execute", self._answer)

    @property
    def untried_s(self) -> float:
        """Seconds since somebody wanted something of the database."""
        return self._clock() - self._tried

    @property
    def unanswered_s(self) -> float:
        """Seconds since the database answered."""
        return self._clock() - self._answered

    def _try(self, *_: Any) -> None:
        self._tried = self._clock()

    def _answer(self, *_: Any) -> None:
        self._tried = self._answered = self._clock()
