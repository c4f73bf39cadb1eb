"""Does what the plan says, and repairs it: kills, freezes, restarts, cuts."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos.fleet import Fleet, Member
from tests.chaos.plan import Disturbance, Kind
from tests.chaos.watch import now
from tests.cluster.broker import descendants
from tests.cluster.forward import Door
from tests.postgresql import Server

RESTART_S = 90.0
AWAKE_S = 15.0
_LOG = logging.getLogger("chaos")


@dataclass(eq=False)
class Disturber:
    """Kills are done at once; what lasts is done beside them, one of each kind at a time."""

    fleet: Fleet
    door: Door
    database: Server | None
    api_server: int | None  # the pid of the real one, where it may be stopped
    killed: dict[int, float] = field(default_factory=dict)
    done: Counter[Kind] = field(default_factory=Counter)
    thawed_s: list[float] = field(default_factory=list)  # how long overtaken helms lived after they were continued
    problems: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._busy: dict[str, threading.Thread] = {}

    def do(self, what: Disturbance) -> None:
        """One disturbance."""
        if what.kind.is_kill:
            self._kill(what)
            return
        act, resource = self._lasting(what)
        running = self._busy.get(resource)
        if act is None or (running is not None and running.is_alive()):
            return
        _LOG.info("%s (%d) for %g s", what.kind.name, what.target, what.lasts_s)
        self.done[what.kind] += 1
        self._busy[resource] = thread = threading.Thread(target=act, name=what.kind.name, daemon=True)
        thread.start()

    def join(self) -> None:
        """Wait until everything is repaired."""
        for thread in self._busy.values():
            thread.join()

    def _lasting(self, what: Disturbance) -> tuple[Callable[[], None] | None, str]:
        worker = self.fleet.workers[what.target % len(self.fleet.workers)]
        table: dict[Kind, tuple[Callable[[], None] | None, str]] = {
            Kind.FREEZE_WORKER: (lambda: self._freeze(worker, what.lasts_s), "worker"),
            Kind.FREEZE_WORKER_ALONE: (lambda: self._freeze(worker, what.lasts_s, alone=True), "worker"),
            Kind.RESTART_DATABASE: (self._restart_database if self.database else None, "database"),
            Kind.CUT_CLUSTER: (lambda: self._cut(what.lasts_s), "cluster"),
            Kind.HANG_CLUSTER: (lambda: self._hang(what.lasts_s), "cluster"),
            Kind.FREEZE_API_SERVER: (
                (lambda: self._freeze_api_server(what.lasts_s)) if self.api_server else None,
                "cluster",
            ),
            Kind.FILL_DISK: (
                (lambda: self._fill(self.fleet.workers[-1], what.lasts_s))
                if self.fleet.workers[-1].own_disk
                else None,
                "disk",
            ),
            Kind.ROLLING_RESTART: (self._roll, "rolling"),
        }
        return table[what.kind]

    def _kill(self, what: Disturbance) -> None:
        members = self.fleet.workers if what.kind is Kind.KILL_WORKER else self.fleet.apis
        member = _awake(members, what.target)
        pid = member.signal(signal.SIGKILL)
        if pid is not None:
            self.killed[pid] = now()
            self.done[what.kind] += 1
            _LOG.info("%s: %s, pid %d", what.kind.name, member.name, pid)

    def _freeze(self, worker: Member, lasts_s: float, *, alone: bool = False) -> None:
        """As a node that stands still: the worker and all below it; the helms wake up first."""
        pid = worker.signal(signal.SIGSTOP)
        if pid is None:
            return
        below = [] if alone else descendants(pid)
        for each in below:
            _send(each, signal.SIGSTOP)
        threading.Event().wait(lasts_s)
        for each in below:
            _send(each, signal.SIGCONT)
        worker.signal(signal.SIGCONT)
        began = time.monotonic()
        while time.monotonic() < began + 5 and any(_alive(each) for each in below):
            threading.Event().wait(0.005)
        if below:
            self.thawed_s.append(time.monotonic() - began)

    def _restart_database(self) -> None:
        assert self.database is not None
        self.database.end(crash=True)
        self.database.start()

    def _cut(self, lasts_s: float) -> None:
        self.door.close()
        threading.Event().wait(lasts_s)
        self.door.open()

    def _hang(self, lasts_s: float) -> None:
        self.door.stall()
        threading.Event().wait(lasts_s)
        self.door.resume()

    def _freeze_api_server(self, lasts_s: float) -> None:
        assert self.api_server is not None
        with frozen(self.api_server):
            threading.Event().wait(min(lasts_s, 60))

    def _fill(self, worker: Member, lasts_s: float) -> None:
        """Until it is over or the process was killed, which takes its disk along."""
        with suppress(OSError):
            filler = worker.data_dir / "filler"
            fill(filler)
            threading.Event().wait(lasts_s)
            filler.unlink()

    def _roll(self) -> None:
        for member in self.fleet.members:
            pid = member.signal(signal.SIGTERM)
            if pid is not None and not member.await_next(pid, RESTART_S):
                self.problems.append(f"{member.name} did not restart within {RESTART_S:g} s of SIGTERM")


def _awake(members: tuple[Member, ...], target: int) -> Member:
    """One that is at work: to kill what has only just been started again proves little. Waits a while for one."""
    end = time.monotonic() + AWAKE_S
    while time.monotonic() < end:
        if found := [member for member in members if member.awake]:
            return found[target % len(found)]
        threading.Event().wait(0.1)
    return members[target % len(members)]


def fill(path: Path) -> None:
    """Leave no byte of the file system free."""
    with path.open("wb", buffering=0) as file:
        for size in (1 << 16, 1 << 10, 1):
            try:
                while True:
                    file.write(b"\0" * size)
            except OSError:
                continue


@contextmanager
def frozen(pid: int) -> Iterator[None]:
    """A process that stands still, and goes on whatever happens."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def _send(pid: int, number: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def _alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()
