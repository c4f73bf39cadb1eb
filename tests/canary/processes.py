"""Sees what every process is given, also one that lives for a moment only.

A program of its own, so that it comes in time: the kernel tells it when a process starts another or runs another
program (the connector for processes), and it reads /proc at once. `python -m tests.canary.processes FILE` writes a
line of JSON for each different thing that it has seen, until its standard input ends; the last line says how many
programs it has read, and how many ended before. Of processes that are none of ours it reads the arguments alone.
"""

from __future__ import annotations

import base64
import json
import os
import select
import socket
import struct
import subprocess
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from tests.canary.evidence import Evidence
from tests.canary.places import Place

_NETLINK_CONNECTOR, _GROUP, _LISTEN = 11, 1, 1
_FORK, _EXEC, _EXIT = 0x00000001, 0x00000002, 0x80000000
_EVENT = "=IIQIIII"  # what, processor, when; of the task and its process, of its child and the child's process
_HEADERS_BYTES = 16 + 20  # of netlink, of the connector
_MISSED = 0.01  # of all programs; it is 1 in 3000 on a machine of 2 cores
_BUFFER_BYTES, _RECEIVE_BUFFER_FORCED = 64 << 20, 33  # the module socket has no name for the second


class Watch:
    """Reads each process as soon as it runs another program. family: of whom all descendants are ours."""

    def __init__(self, family: int, out: TextIO) -> None:
        self._ours, self._out = {family}, out
        self._seen: set[tuple[str, str, bytes]] = set()
        self.read = self.missed = 0  # programs

    def follow(self, kernel: socket.socket) -> None:
        """Until standard input ends. Raises OSError when the kernel had to leave something out."""
        while True:
            ready, _, _ = select.select([kernel, sys.stdin], [], [])
            if kernel in ready:
                what, _, _, task, process, _, child = struct.unpack_from(_EVENT, kernel.recv(4096), _HEADERS_BYTES)
                if what == _FORK and process in self._ours:
                    self._ours.add(child)
                elif what == _EXEC:
                    self._read(process)
                elif what == _EXIT and task == process:
                    self._ours.discard(process)
            elif sys.stdin in ready:
                return

    def _read(self, process: int) -> None:
        folder = Path("/proc") / str(process)
        try:
            arguments = (folder / "cmdline").read_bytes()
            if not arguments:  # it has ended, and nobody has asked how
                raise ProcessLookupError
            self._say("arguments", "", arguments, arguments)
            group = (folder / "cgroup").read_text()
            pod = group.rpartition("/pod")[2][:36] if "/pod" in group else ""
            if pod or process in self._ours:
                self._say("environment", pod, arguments, (folder / "environ").read_bytes())
            self.read += 1
        except (FileNotFoundError, ProcessLookupError):
            self.missed += 1

    def _say(self, what: str, pod: str, arguments: bytes, content: bytes) -> None:
        if content and (what, pod, content) not in self._seen:
            self._seen.add((what, pod, content))
            program = arguments.partition(b"\0")[0].decode(errors="replace")
            said = {"what": what, "pod": pod, "program": program, "content": base64.b64encode(content).decode()}
            self._out.write(json.dumps(said) + "\n")


def _listening() -> socket.socket:
    """Told of every process. Raises OSError where that is not allowed: it takes root, on the machine itself."""
    kernel = socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, _NETLINK_CONNECTOR)
    kernel.setsockopt(socket.SOL_SOCKET, _RECEIVE_BUFFER_FORCED, _BUFFER_BYTES)
    kernel.bind((os.getpid(), _GROUP))
    request = struct.pack("=IIIIHHI", 1, 1, 0, 0, 4, 0, _LISTEN)
    kernel.send(struct.pack("=IHHII", 16 + len(request), 3, 0, 0, os.getpid()) + request)
    return kernel


def main() -> None:
    """The program. It says on standard output when it sees everything from now on."""
    with Path(sys.argv[1]).open("w") as out, _listening() as kernel:
        watch = Watch(os.getppid(), out)
        sys.stdout.write("watching\n")
        sys.stdout.flush()
        watch.follow(kernel)
        out.write(json.dumps({"read": watch.read, "missed": watch.missed}) + "\n")


@contextmanager
def watched(evidence: Evidence, file: Path, pods_of_the_app: Collection[str]) -> Iterator[None]:
    """Until the end every process is noted; those in these pods (uids) are the app's."""
    command = [sys.executable, "-m", "tests.canary.processes", str(file)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as watch:
        assert watch.stdin is not None
        assert watch.stdout is not None
        assert watch.stdout.readline(), "processes cannot be watched: run this as root, on the sandbox's machine"
        try:
            yield
        finally:
            watch.stdin.close()
            assert watch.wait(120) == 0, "processes were not watched to the end"
            _note(evidence, file, pods_of_the_app)


def _note(evidence: Evidence, file: Path, pods_of_the_app: Collection[str]) -> None:
    *lines, counted = map(json.loads, file.read_text().splitlines())
    read, missed = counted["read"], counted["missed"]
    assert missed <= _MISSED * read, f"{missed} programs ended before they could be read, {read} were read"
    for said in lines:
        place = Place.ARGUMENTS
        if said["what"] == "environment":
            place = Place.APP_ENVIRONMENT if said["pod"] in pods_of_the_app else Place.ENVIRONMENT
        evidence.add(place, said["program"], base64.b64decode(said["content"]))


if __name__ == "__main__":
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))  # before any process that it looks at
    main()
