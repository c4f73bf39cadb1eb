"""SIGHUP: something is to be read again."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable
from queue import SimpleQueue
from types import FrameType

_LOG = logging.getLogger("helmbroker.hangup")


def after_hangup(act: Callable[[], None]) -> None:
    """Have every SIGHUP call `act` in a thread of its own, one after the other. Main thread only.

    A handler may neither wait nor start a thread: it may have come while the main thread held the lock for that.
    """
    asked: SimpleQueue[int] = SimpleQueue()  # its `put` is made to be interrupted by another one

    def handle(number: int, _frame: FrameType | None) -> None:
        asked.put(number)

    threading.Thread(target=_answer, args=(asked, act), name="hangup", daemon=True).start()
    signal.signal(signal.SIGHUP, handle)
    signal.siginterrupt(signal.SIGHUP, False)


def _answer(asked: SimpleQueue[int], act: Callable[[], None]) -> None:
    while asked.get():
        try:
            act()
        except Exception:  # noqa: BLE001  # a thread that ends would not be missed
            _LOG.exception("what SIGHUP asks for has failed; the next one tries again")
