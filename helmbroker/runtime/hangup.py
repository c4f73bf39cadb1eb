"""SIGHUP: something is to be read again."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType


def after_hangup(act: Callable[[], None]) -> None:
    """Have every SIGHUP call `act` in a thread of its own; a signal handler may not wait. Main thread only."""

    def handle(_number: int, _frame: FrameType | None) -> None:
        threading.Thread(target=act, name="hangup", daemon=True).start()

    signal.signal(signal.SIGHUP, handle)
    signal.siginterrupt(signal.SIGHUP, False)
