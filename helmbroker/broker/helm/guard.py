"""Runs helm for a worker, and ends it when the worker is dead, or frozen for so long that others may go on.

A program of its own, as `python -I -S guard.py WORKER PATIENCE_S DESCRIPTOR`: the worker's process id, and a pipe
from it: first the command, then a byte now and then as a sign of life. Ends as helm ends. Its standard streams are
helm's. Starts in 15 ms, so it imports next to nothing.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from contextlib import suppress

_PR_SET_PDEATHSIG = 1
_LOOK_S = 0.2
_CANNOT_START = 126


def main() -> None:
    worker, patience_s, pipe = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
    die_with(worker)
    os.set_inheritable(pipe, False)
    command = _command(pipe)
    for number in (signal.SIGTERM, signal.SIGINT):  # they are for helm, in the same group; exec forgets the handler
        signal.signal(number, lambda *_: None)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    guard, child = os.getpid(), os.fork()
    if child == 0:
        _become(command, guard)
    for descriptor in (0, 1, 2):
        os.close(descriptor)  # who reads helm's output waits until all have closed it
    _end_like(_watched(child, pipe, patience_s))


def die_with(parent: int) -> None:
    """The kernel kills this process as soon as its parent's thread that started it ends; at once if it has.

    Where the kernel cannot, a closed pipe tells it a little later.
    """
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it was dead before
        os.kill(os.getpid(), signal.SIGKILL)


def packed(command: list[str]) -> bytes:
    """The command as it is told to the guard: not in its arguments, so that it is not taken for a second helm."""
    return b"".join(os.fsencode(text) + b"\0" for text in (str(len(command)), *command))


def _command(pipe: int) -> list[bytes]:
    told = b""
    while told.count(b"\0") <= int(told.partition(b"\0")[0] or 0) or b"\0" not in told:
        more = os.read(pipe, 65536)
        if not more:
            os._exit(_CANNOT_START)  # the worker has ended
        told += more
    count, *rest = told.split(b"\0")
    return rest[: int(count)]


def _become(command: list[bytes], guard: int) -> None:
    try:
        die_with(guard)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
        os.execv(command[0], command)  # noqa: S606 - a shell is what nobody wants here
    except OSError as error:
        os.write(2, f"Error: helm cannot be started: {error.strerror}\n".encode())
    finally:
        os._exit(_CANNOT_START)


def _watched(child: int, pipe: int, patience_s: float) -> int:
    """Wait for helm's end, or bring it about. Its wait status."""
    os.set_blocking(pipe, False)
    heard = _now()
    while True:
        signal.sigtimedwait({signal.SIGCHLD}, _LOOK_S)
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return status
        with suppress(BlockingIOError):
            heard = _now() if os.read(pipe, 65536) else float("-inf")
        if _now() - heard > patience_s:
            os.kill(child, signal.SIGKILL)


def _now() -> float:
    """Goes on while the machine sleeps, as leases do."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def _end_like(status: int) -> None:
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        with suppress(OSError):  # SIGKILL has no handler to take away
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)


if __name__ == "__main__":
    main()
