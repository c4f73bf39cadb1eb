"""Python programs as child processes, for tests of what handles signals and forks. Every wait is bounded."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

BOUND_S = 60.0


@contextmanager
def program(source: str, *argv: str) -> Iterator[subprocess.Popen[str]]:
    """Run `source` with this interpreter; killed at the end of the block if it is still there."""
    process = subprocess.Popen(
        [sys.executable, "-u", "-c", source, *argv],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        bufsize=1,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate(timeout=BOUND_S)


def read_line(process: subprocess.Popen[str]) -> str:
    """The next line of its standard output, without the newline."""
    assert process.stdout is not None
    return process.stdout.readline().rstrip("\n")
