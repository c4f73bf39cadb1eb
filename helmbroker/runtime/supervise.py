"""A supervisor for one machine: runs our commands as child processes and keeps them running."""

from __future__ import annotations

import contextlib
import logging
import os
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import FrameType

_LOG = logging.getLogger("helmbroker.supervise")
_MAX_DEATHS = 5
_BACKOFF_MAX_S = 10.0


def supervise(
    children: Mapping[str, Sequence[str]], *, grace_s: float, window_s: float = 60.0, backoff_s: float = 0.5
) -> int:
    """Run every child (name -> argv) until SIGTERM or SIGINT; the exit status for our own process.

    0: asked to stop, all ended. 1: a child died 5 times within `window_s` seconds, the others were stopped.
    A child that dies, whatever its status, is started again after `backoff_s` seconds, doubled with every
    death in the window. On stop each child gets SIGTERM, after `grace_s` seconds its process group SIGKILL.
    SIGHUP is passed on to the children. Children die with the supervisor where util-linux's `setpriv` is there.
    Main thread only (signals).
    """
    kept = [_Child(name, _with_death_signal(argv)) for name, argv in children.items()]
    with _signals() as inbox:
        try:
            gave_up = _watch(kept, inbox, window_s, backoff_s)
        finally:
            _stop(kept, inbox, grace_s)
    return 1 if gave_up else 0


@dataclass
class _Child:
    name: str
    argv: Sequence[str]
    process: subprocess.Popen[bytes] | None = None
    start_at: float = 0.0
    deaths: list[float] = field(default_factory=list)

    def start(self) -> None:
        # A group of its own: Ctrl-C reaches the supervisor alone, and SIGKILL reaches grandchildren too.
        self.process = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL, process_group=0)
        _LOG.info("child started", extra={"child": self.name, "pid": self.process.pid})

    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def kill_group(self) -> None:
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


class _Inbox:
    """Signals as bytes in a pipe: waiting for them has no race."""

    def __init__(self, read_fd: int) -> None:
        self._fd = read_fd
        self.stop = False
        self.hangup = False

    def wait(self, seconds: float | None) -> None:
        readable, _, _ = select.select([self._fd], [], [], seconds)
        if readable:
            received = os.read(self._fd, 512)
            self.stop |= any(number in (signal.SIGTERM, signal.SIGINT) for number in received)
            self.hangup |= signal.SIGHUP in received


@contextlib.contextmanager
def _signals() -> Iterator[_Inbox]:
    def ignore(_number: int, _frame: FrameType | None) -> None:
        """The byte in the wake-up pipe is what counts."""

    read_fd, write_fd = os.pipe()
    os.set_blocking(write_fd, False)
    watched = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD, signal.SIGHUP)
    before = {number: signal.signal(number, ignore) for number in watched}
    wakeup_before = signal.set_wakeup_fd(write_fd, warn_on_full_buffer=False)
    try:
        yield _Inbox(read_fd)
    finally:
        signal.set_wakeup_fd(wakeup_before)
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(read_fd)
        os.close(write_fd)


def _watch(children: Sequence[_Child], inbox: _Inbox, window_s: float, backoff_s: float) -> bool:
    """Keep the children running until a signal; True when one of them cannot be kept."""
    while not inbox.stop:
        now = time.monotonic()
        for child in children:
            if child.process is not None and child.process.poll() is not None:
                if _buried(child, now, window_s, backoff_s):
                    return True
            elif child.process is None and child.start_at <= now:
                child.start()
        waiting = [child.start_at for child in children if child.process is None]
        inbox.wait(max(0.0, min(waiting) - time.monotonic()) if waiting else None)
        if inbox.hangup:
            inbox.hangup = False
            _pass_on(children, signal.SIGHUP)
    return False


def _pass_on(children: Sequence[_Child], number: signal.Signals) -> None:
    for child in children:
        if child.process is not None and child.running():
            child.process.send_signal(number)


def _buried(child: _Child, now: float, window_s: float, backoff_s: float) -> bool:
    """Note the death of `child` and plan its next start; True when it died too often."""
    status = child.process.returncode if child.process is not None else None
    child.kill_group()  # what it left behind would hold its port or do its work twice
    child.process = None
    child.deaths = [death for death in child.deaths if now - death < window_s] + [now]
    if len(child.deaths) >= _MAX_DEATHS:
        _LOG.error(
            "child keeps dying; giving up: its own last lines say why",
            extra={"child": child.name, "status": status, "deaths": len(child.deaths)},
        )
        return True
    delay_s = min(_BACKOFF_MAX_S, backoff_s * 2 ** (len(child.deaths) - 1))
    child.start_at = now + delay_s
    _LOG.warning("child died", extra={"child": child.name, "status": status, "restart_in_s": delay_s})
    return False


def _stop(children: Sequence[_Child], inbox: _Inbox, grace_s: float) -> None:
    """SIGTERM to all at once, then SIGKILL to the groups of those still there."""
    _pass_on(children, signal.SIGTERM)
    deadline = time.monotonic() + grace_s
    while any(child.running() for child in children) and time.monotonic() < deadline:
        inbox.wait(max(0.0, deadline - time.monotonic()))
    for child in children:
        child.kill_group()


def _with_death_signal(argv: Sequence[str]) -> list[str]:
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "TERM", "--", *argv] if setpriv else list(argv)
