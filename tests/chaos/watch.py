"""Looks at the operations table during the whole run: who takes over what from whom, and when."""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import psycopg

LOOK_EVERY_S = 0.1
_RUNNING = "SELECT seq, id, kind, fence, owner, lease_until, attempt FROM operations WHERE state = 'running'"
_ENDS = "SELECT id, kind, state, description, attempt FROM operations"
_LOG = logging.getLogger("chaos")


@dataclass(frozen=True)
class TakeOver:
    """An operation that another claim goes on with after its owner died or froze. Seconds."""

    operation: str
    kind: str
    after_lease_s: float  # from the end of the lease to the next claim
    after_kill_s: float | None  # from the kill of its owner; None when it was not killed


@dataclass(eq=False)
class Watch:
    """The table of `url`. `killed`: pid -> when, in seconds since the epoch; filled in by whoever kills."""

    url: str
    lease_s: float
    killed: dict[int, float]
    take_overs: list[TakeOver] = field(default_factory=list)
    looks: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._held: dict[int, tuple[int, str, float]] = {}  # seq -> fence, owner, lease's end
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def ends(self) -> list[dict[str, Any]]:
        """Every operation as it stands in the table now."""
        names = ("id", "kind", "state", "description", "attempt")
        return [dict(zip(names, row, strict=True)) for row in self._rows(_ENDS)]

    def _run(self) -> None:
        while not self._stop.wait(LOOK_EVERY_S):
            try:
                rows = self._rows(_RUNNING)
            except (psycopg.Error, sqlite3.Error):  # it is being restarted
                self.looks["without an answer"] += 1
                continue
            self.looks["answered"] += 1
            running = {
                row[0] for row in rows
            }  # what is not was given back, or has ended: the next claim takes over nothing
            self._held = {seq: held for seq, held in self._held.items() if seq in running}
            for row in rows:
                self._see(*row)

    def _see(
        self, seq: int, operation: str, kind: str, fence: int, owner: str | None, until: float, attempt: int
    ) -> None:
        before = self._held.get(seq)
        self._held[seq] = fence, owner or "", until
        if before is None or before[0] == fence or owner is None or attempt < 2:
            return
        _, previous, ended = before
        claimed = until - self.lease_s  # seen before its first renewal: a heartbeat is longer than a look
        if not previous or claimed - ended < -0.01:  # handed back, or a retry
            return
        pid = int(previous.split(":")[1])
        kill = self.killed.get(pid)
        self.take_overs.append(TakeOver(operation, kind, claimed - ended, None if kill is None else claimed - kill))
        _LOG.info("%s %s goes on %.2f s after its lease", kind, operation, claimed - ended)

    def _rows(self, query: str) -> list[tuple[Any, ...]]:
        if self.url.startswith("sqlite:///"):
            path = self.url.removeprefix("sqlite:///")
            with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5)) as database:
                return database.execute(query).fetchall()
        with psycopg.connect(self.url, connect_timeout=2, autocommit=True) as conn:
            return conn.execute(query.encode()).fetchall()


def now() -> float:
    """The clock of both databases, which are on this machine."""
    return time.time()
