"""Child processes: recorded as they start, so that a later run can end what a crashed one left."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from bench import proc
from demo.waiting import DemoFailed

GRACE_S = 30.0
KILL_S = 5.0
LOG_LINES = 5


def boot() -> str:
    """This boot of the machine: process ids and start times mean something within it only."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


@dataclass(frozen=True)
class Recorded:
    """Who a process is: an id alone may belong to another one by now."""

    name: str
    pid: int
    started: int  # clock ticks since boot
    boot: str

    def alive(self) -> bool:
        """Whether that very process still runs."""
        return self.boot == boot() and proc.started(self.pid) == self.started

    def end(self, grace_s: float) -> None:
        """SIGTERM; after that time SIGKILL to its group. Returns when it is gone."""
        if not self.alive():
            return
        with suppress(ProcessLookupError):
            descriptor = os.pidfd_open(self.pid)
            try:
                signal.pidfd_send_signal(descriptor, signal.SIGTERM)
                if not select.select([descriptor], [], [], grace_s)[0]:
                    os.killpg(self.pid, signal.SIGKILL)
                    select.select([descriptor], [], [], KILL_S)
            finally:
                os.close(descriptor)


class Processes:
    """The demo's processes, by the file that remembers them."""

    def __init__(self, record: Path, logs: Path, grace_s: float = GRACE_S) -> None:
        self._record = record
        self._logs = logs
        self._grace_s = grace_s
        self._children: dict[int, subprocess.Popen[bytes]] = {}

    def start(self, name: str, argv: Sequence[str], env: Mapping[str, str], directory: Path) -> Recorded:
        """Start a process in a group of its own, its output in a log. It outlives the demo when that ends."""
        with (self._logs / f"{name}.log").open("ab") as log:
            child = subprocess.Popen(
                argv,
                env=dict(env),
                cwd=directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                process_group=0,
            )
        self._children[child.pid] = child
        since = proc.started(child.pid)
        if since is None:
            raise DemoFailed(f"{name} ended at once: {self.last_lines(name)}")
        recorded = Recorded(name, child.pid, since, boot())
        with self._record.open("a") as file:
            file.write(json.dumps(asdict(recorded)) + "\n")
        return recorded

    def recorded(self) -> list[Recorded]:
        """Every process that was ever started, the last one first."""
        try:
            lines = self._record.read_text().splitlines()
        except FileNotFoundError:
            return []
        return [Recorded(**json.loads(line)) for line in reversed(lines)]

    def check(self, process: Recorded) -> None:
        """Raises DemoFailed with its last words when the process has ended."""
        if not process.alive():
            raise DemoFailed(f"{process.name} has ended: {self.last_lines(process.name)}")

    def last_lines(self, name: str) -> str:
        """The end of a process's log."""
        path = self._logs / f"{name}.log"
        lines = path.read_text(errors="replace").splitlines() if path.exists() else []
        return f"{' / '.join(lines[-LOG_LINES:]) or 'it said nothing'} (all of it: {path})"

    def end_all(self) -> list[str]:
        """End what still runs; the names."""
        ended = []
        for process in self.recorded():
            if process.alive():
                process.end(self._grace_s)
                ended.append(process.name)
            child = self._children.pop(process.pid, None)
            if child:
                child.wait()
        self._record.unlink(missing_ok=True)
        return ended
