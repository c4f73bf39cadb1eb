"""Worker processes that a test starts, disturbs and listens to."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from helmbroker.durable import Operation

BOUND_S = 90.0


@dataclass(frozen=True)
class Line:
    """What a worker told. `at` is on the machine's monotonic clock, which all processes share."""

    event: str
    pid: int
    at: float
    step: str
    operation: str
    subject: str
    fence: int


class Workers:
    """Processes of `program`; all tell through one pipe."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._read, self._write = os.pipe()
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        self._ready = 0
        self._changed = threading.Condition()
        self.lines: list[Line] = []
        self.ended_at: dict[int, float] = {}  # by process: when it was surely dead
        self._listener = threading.Thread(target=self._listen)
        self._listener.start()

    def start(self, lease_s: float = 1.5) -> int:
        """Start one; returns its process id when it is about to work."""
        return self.start_many(1, lease_s)[0]

    def start_many(self, count: int, lease_s: float) -> list[int]:
        """Start several at a time; returns their process ids when they are about to work."""
        wanted = self._ready + count
        command = [sys.executable, "-m", "tests.operations.durable.program", self._url, str(lease_s)]
        new = {p.pid: p for p in (subprocess.Popen(command, stdout=self._write) for _ in range(count))}
        self._processes |= new
        with self._changed:
            assert self._changed.wait_for(lambda: self._ready == wanted, BOUND_S), "a worker did not start"
        return list(new)

    def kill(self, pid: int) -> None:
        """kill -9"""
        process = self._processes.pop(pid)
        process.kill()
        process.wait(BOUND_S)
        self.ended_at[pid] = time.monotonic()

    def signal(self, pid: int, number: signal.Signals) -> None:
        self._processes[pid].send_signal(number)

    def await_exit(self, pid: int) -> int:
        """Its exit status."""
        return self._processes.pop(pid).wait(BOUND_S)

    def await_line(self, wanted: Callable[[Line], bool]) -> Line:
        """The first line that is wanted."""
        with self._changed:
            assert self._changed.wait_for(lambda: any(map(wanted, self.lines)), BOUND_S), self.lines
            return next(filter(wanted, self.lines))

    def await_begin(self, operation: Operation) -> Line:
        """The begin of its first step."""
        return self.await_line(lambda line: line.operation == operation.id)

    def await_new_begin(self) -> Line:
        """The next begin of a step, whoever begins it: for that moment, its worker is surely at work."""
        with self._changed:
            told = len(self.lines)

            def begun() -> Line | None:
                return next((line for line in self.lines[told:] if line.event == "begin"), None)

            found = self._changed.wait_for(begun, BOUND_S)
            assert found, "nobody begins anything"
            return found

    def end(self) -> None:
        for pid in list(self._processes):
            self.kill(pid)
        os.close(self._write)
        self._listener.join(BOUND_S)

    def _listen(self) -> None:
        with open(self._read, encoding="utf-8") as pipe:  # noqa: PTH123 - a descriptor, not a path
            for text in pipe:
                with self._changed:
                    if fields := json.loads(text):
                        self.lines.append(Line(**fields))
                    else:
                        self._ready += 1
                    self._changed.notify_all()

    def assert_no_overlap(self) -> None:
        """No two steps of one subject ran at the same time, whoever ran them."""
        until: dict[str, tuple[float, Line]] = {}
        for index, begin in enumerate(self.lines):
            if begin.event != "begin":
                continue
            end = next(
                (line.at for line in self.lines[index + 1 :] if _same_run(begin, line)),
                self.ended_at.get(begin.pid, float("inf")),
            )
            before, other = until.get(begin.subject, (0.0, begin))
            assert begin.at >= before, (other, begin)
            until[begin.subject] = (end, begin)


def _same_run(begin: Line, other: Line) -> bool:
    same = ("pid", "operation", "fence", "step")
    return other.event != "begin" and all(getattr(begin, name) == getattr(other, name) for name in same)
