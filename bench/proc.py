"""Memory and CPU time of process trees, from /proc."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Process:
    """A process as it was when it was looked at. Sizes in bytes, CPU time in seconds."""

    pid: int
    parent: int
    started: int  # clock ticks since boot: with the pid, an identity
    command: tuple[str, ...]
    rss: int
    pss: int  # what it shares counts in proportion
    cpu_s: float


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat after the command's name; [0] is the state (field 3 of proc(5))."""
    return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()


def started(pid: int) -> int | None:
    """When the process started, in clock ticks since boot; None when it is gone or only a zombie."""
    try:
        fields = _stat(pid)
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] == "Z" else int(fields[19])


def _pss(pid: int) -> int:
    for line in (PROC / str(pid) / "smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0


def look(pid: int) -> Process | None:
    """The process, or None when it is gone."""
    try:
        fields = _stat(pid)
        command = (PROC / str(pid) / "cmdline").read_bytes().rstrip(b"\0").split(b"\0")
        return Process(
            pid=pid,
            parent=int(fields[1]),
            started=int(fields[19]),
            command=tuple(word.decode(errors="replace") for word in command),
            rss=int(fields[21]) * PAGE_BYTES,
            pss=_pss(pid),
            cpu_s=(int(fields[11]) + int(fields[12])) / TICKS_PER_S,
        )
    except (FileNotFoundError, ProcessLookupError):
        return None


def tree(root: int) -> list[Process]:
    """The process and all below it."""
    parents: dict[int, list[int]] = {}
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            try:
                parents.setdefault(int(_stat(int(entry.name))[1]), []).append(int(entry.name))
            except (FileNotFoundError, ProcessLookupError):
                continue
    found, waiting = [], [root]
    while waiting:
        pid = waiting.pop()
        waiting += parents.get(pid, [])
        if process := look(pid):
            found.append(process)
    return found


def cpu_s(roots: Iterable[int]) -> float:
    """CPU time, user and system, of the trees until now. Of processes that have ended in between: nothing."""
    return sum(process.cpu_s for root in roots for process in tree(root))


def cpu_share(roots: Iterable[int], seconds: float) -> float:
    """The part of one core that the trees use over the next `seconds`."""
    roots = list(roots)
    before, began = cpu_s(roots), time.monotonic()
    time.sleep(seconds)
    return (cpu_s(roots) - before) / (time.monotonic() - began)
