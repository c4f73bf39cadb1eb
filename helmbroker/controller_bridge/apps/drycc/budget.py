"""How many requests the bridge may send: the controller counts those of a user, whoever of us sends them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from helmbroker.controller_bridge.apps.port import AppsUnavailable

LONGEST_S = 20.0
"""Seconds that a request waits for its turn; when it would be more, its operation waits, without a thread."""


class Budget(Protocol):
    """Turns, shared by all threads and processes that use the same user at the controller."""

    def turn(self, longest_s: float, *, idle: bool = False) -> float:
        """Take a turn: seconds until it comes. More than `longest_s`: it was not taken.

        idle: only when nobody else may need it soon.
        """
        ...

    def rest(self, for_s: float) -> None:
        """The controller asks for so many seconds without a request."""
        ...


class Turns:
    """Waits for its turn before each request."""

    def __init__(self, budget: Budget, *, idle: bool = False, sleep: Callable[[float], None] = time.sleep) -> None:
        self._budget, self._idle, self._sleep = budget, idle, sleep

    def wait(self) -> None:
        """Until a request may be sent. Raises AppsUnavailable when that would take too long."""
        longest_s = 0.0 if self._idle else LONGEST_S
        wait_s = self._budget.turn(longest_s, idle=self._idle)
        if wait_s > longest_s:
            raise AppsUnavailable(
                f"the requests to the controller that are allowed in a minute are used up for {wait_s:.0f} s",
                after_s=wait_s,
            )
        if wait_s > 0:
            self._sleep(wait_s)

    def rest(self, for_s: float) -> None:
        """See Budget.rest."""
        self._budget.rest(for_s)
