"""Processes, named by pid AND start time: a pid alone may have passed to somebody else's process."""

import os
import select
import signal
from dataclasses import dataclass
from pathlib import Path

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True)
class ProcessId:
    """start_ticks: clock ticks after boot, as /proc/PID/stat has it; boot: which boot of the machine."""

    pid: int
    start_ticks: int
    boot: str

    @classmethod
    def of(cls, pid: int) -> "ProcessId | None":
        """The process that has this pid now; None when there is none, or it has ended and waits to be reaped."""
        try:
            state, start_ticks = parse_stat(Path(f"/proc/{pid}/stat").read_text())
        except (FileNotFoundError, ProcessLookupError):
            return None
        return None if state in "ZX" else cls(pid, start_ticks, BOOT_ID.read_text().strip())

    def alive(self) -> bool:
        """Whether this very process still runs."""
        return ProcessId.of(self.pid) == self

    def kill(self, timeout_seconds: float = 20) -> bool:
        """SIGKILL this very process and wait for its end; whether it has ended. Nothing happens to any other."""
        try:
            handle = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return True
        try:
            if not self.alive():  # the handle was taken first, so what we looked at is what we kill
                return True
            signal.pidfd_send_signal(handle, signal.SIGKILL)
            readable, _, _ = select.select([handle], [], [], timeout_seconds)
            return bool(readable)
        finally:
            os.close(handle)


def parse_stat(text: str) -> tuple[str, int]:
    """(state letter, start time in ticks) from the text of /proc/PID/stat, whose name field may hold anything."""
    fields = text[text.rindex(")") + 1 :].split()
    return fields[0], int(fields[19])


def children(pid: int) -> list[int]:
    """Pids of the children of a process, over all its threads."""
    found: list[int] = []
    for thread in Path(f"/proc/{pid}/task").glob("*/children"):
        found += [int(child) for child in thread.read_text().split()]
    return found
