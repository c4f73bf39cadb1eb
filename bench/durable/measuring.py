"""What is measured on one database. Worker processes are as in production; databases wait for the disk."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import sqlalchemy as sa

from bench import proc
from bench.durable.program import METADATA, OPERATIONS
from helmbroker.database import connect
from helmbroker.durable import Queue, State

BOUND_S = 120.0
_LOOK_S = 0.01


class CannotMeasure(Exception):
    """What did not happen in time."""


class Workers:
    """Worker processes on one database."""

    def __init__(self, url: str, count: int, lease_s: float) -> None:
        command = [sys.executable, "-m", "bench.durable.program", url, str(lease_s)]
        self.processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(count)]
        for each in self.processes:
            self.begun(each, "ready")

    def begun(self, process: subprocess.Popen[str], operation_id: str) -> float:
        """When the process began this operation's step; waits for it."""
        if process.stdout is None:
            raise CannotMeasure("its output is not read")
        for line in process.stdout:
            name, at = line.split()
            if name == operation_id:
                return float(at)
        raise CannotMeasure(f"a worker ended before {operation_id}")

    def end(self) -> None:
        """All of them."""
        for each in self.processes:
            each.kill()
            each.wait(BOUND_S)
            if each.stdout is not None:
                each.stdout.close()


@dataclass
class Bench:
    """One database with the tables of operations."""

    url: str

    def __post_init__(self) -> None:
        self.engine = connect(self.url)
        METADATA.create_all(self.engine)
        self.queue, self._number = Queue(self.engine, OPERATIONS), 0

    @contextmanager
    def workers(self, count: int, lease_s: float = 60.0) -> Iterator[Workers]:
        """They run until the block ends."""
        made = Workers(self.url, count, lease_s)
        try:
            yield made
        finally:
            made.end()

    def enqueue(self, subjects: Sequence[str], step_s: float = 0.0) -> list[str]:
        """One operation per entry, all in one transaction."""
        ids = []
        with self.engine.begin() as conn:
            for subject in subjects:
                self._number += 1
                ids.append(f"operation-{self._number}")
                given: dict[str, float] = {"step_s": step_s}
                self.queue.enqueue(conn, id=ids[-1], kind="work", subject=subject, params=given, timeout_s=3600.0)
        return ids

    def await_ends(self) -> None:
        """Until no operation is unfinished. Looks ten times a second: not to take part."""
        open_ones = (
            sa.select(OPERATIONS.c.seq).where(OPERATIONS.c.state.in_([State.QUEUED, State.RUNNING])).limit(1)
        )
        self._await(lambda conn: conn.execute(open_ones).first() is None, 0.1)

    def await_owner(self, operation_id: str, fence: int) -> None:
        """Until an operation was claimed so often."""
        claimed = sa.select(OPERATIONS.c.fence).where(OPERATIONS.c.id == operation_id)
        self._await(lambda conn: int(conn.scalar(claimed) or 0) >= fence, _LOOK_S)

    def _await(self, condition: Callable[[sa.Connection], bool], look_s: float) -> None:
        end = time.monotonic() + BOUND_S
        while time.monotonic() < end:
            with self.engine.connect() as conn:
                if condition(conn):
                    return
            time.sleep(look_s)
        raise CannotMeasure(f"it did not happen within {BOUND_S:.0f} s")

    def transactions(self) -> int:
        """That PostgreSQL has counted for this database."""
        with self.engine.connect() as conn:
            conn.execute(sa.text("SELECT pg_stat_force_next_flush()"))
            counted = "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()"
            return int(conn.scalar(sa.text(counted)) or 0)


def rate(bench: Bench, workers: int, count: int, subjects: int, rounds: int) -> float:
    """Operations of one step that does nothing, in a second: the median; from enqueueing to the last end."""
    rates = []
    with bench.workers(workers):
        for _ in range(rounds):
            start = time.monotonic()
            bench.enqueue([f"subject {n % subjects}" for n in range(count)])
            bench.await_ends()
            rates.append(count / (time.monotonic() - start))
    return statistics.median(rates)


def idle(bench: Bench, seconds: float, *, counted: bool) -> tuple[float, float]:
    """CPU of one worker in percent of a core, and (`counted`: PostgreSQL) its transactions in a second."""
    with bench.workers(1) as workers:
        time.sleep(2.0)  # what it does at its start is not idling
        pid, before = workers.processes[0].pid, bench.transactions() if counted else 0
        cpu, start = _cpu_s(pid), time.monotonic()
        time.sleep(seconds)
        took_s, used_s = time.monotonic() - start, _cpu_s(pid) - cpu
        transactions = bench.transactions() - before - 1 if counted else 0  # without our own
    return 100 * used_s / took_s, transactions / took_s


def resume(bench: Bench, lease_s: float) -> float:
    """From `kill -9` of a worker until another one goes on with its operation, in seconds beyond the lease."""
    with bench.workers(2, lease_s) as workers:
        (operation_id,) = bench.enqueue(["subject"], step_s=600.0)
        bench.await_owner(operation_id, 1)
        with bench.engine.connect() as conn:
            owner = conn.scalar(sa.select(OPERATIONS.c.owner).where(OPERATIONS.c.id == operation_id))
        first, second = sorted(workers.processes, key=lambda each: f":{each.pid}:" not in str(owner))
        workers.begun(first, operation_id)
        first.kill()
        killed = time.monotonic()
        went_on = workers.begun(second, operation_id)
    with bench.engine.begin() as conn:
        conn.execute(OPERATIONS.delete())
    return went_on - killed - lease_s


def _cpu_s(pid: int) -> float:
    found = proc.look(pid)
    if found is None:
        raise CannotMeasure("the worker has ended")
    return found.cpu_s
