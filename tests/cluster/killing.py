"""Workers killed in the middle of what they do."""

from __future__ import annotations

import os
import signal

from tests.cluster.broker import Broker, arguments, descendants
from tests.cluster.reach import eventually


def helm_of(running: Broker, *words: str) -> int | None:
    """A helm of the worker that does this."""
    found = [pid for pid in descendants(running.process.pid) if set(words) <= set(arguments(pid))]
    return found[0] if found else None


def kill_worker(running: Broker, *words: str) -> None:
    """kill -9, in the middle of a command to helm."""
    helm = eventually(lambda: helm_of(running, *words), within_s=90, every_s=0.01)
    worker = running.worker_pid
    os.kill(worker, signal.SIGKILL)
    eventually(lambda: None if set(words) <= set(arguments(helm)) else True, within_s=20, every_s=0.01)
    eventually(lambda: True if _another(running, worker) else None, within_s=90)


def _another(running: Broker, worker: int) -> bool:
    return any("worker" in arguments(pid) and pid != worker for pid in descendants(running.process.pid))
