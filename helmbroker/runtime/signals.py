"""What processes do about signals: in a thread of its own, never where the signal comes.

A handler may neither set an event nor start a thread: the main thread may hold the lock for that when it comes.
"""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable
from queue import SimpleQueue
from types import FrameType

_LOG = logging.getLogger("helmbroker.signals")


def received(*numbers: signal.Signals) -> SimpleQueue[int]:
    """Where each of these signals arrives, by its number. Main thread only."""
    arrived: SimpleQueue[int] = SimpleQueue()  # its `put` is made to be interrupted by another one

    def handle(number: int, _frame: FrameType | None) -> None:
        arrived.put(number)

    # No `siginterrupt(number, False)`: an untimed wait of the main thread (`stop.wait()`), taken up again by the
    # kernel, would keep it from its handler for ever. Python, libpq and SQLite repeat what a signal interrupts.
    for number in numbers:
        signal.signal(number, handle)
    return arrived


def stopped() -> threading.Event:
    """What is set when SIGTERM or SIGINT comes. Main thread only."""
    stop, arrived = threading.Event(), received(signal.SIGTERM, signal.SIGINT)

    def end() -> None:
        arrived.get()
        stop.set()

    threading.Thread(target=end, name="end", daemon=True).start()
    return stop


def after_hangup(act: Callable[[], None]) -> None:
    """Have every SIGHUP (something is to be read again) call `act`, one after the other. Main thread only."""
    threading.Thread(target=_answer, args=(received(signal.SIGHUP), act), name="hangup", daemon=True).start()


def _answer(asked: SimpleQueue[int], act: Callable[[], None]) -> None:
    while asked.get():
        try:
            act()
        except Exception:  # noqa: BLE001  # a thread that ends would not be missed
            _LOG.exception("what SIGHUP asks for has failed; the next one tries again")
