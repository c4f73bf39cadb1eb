"""Where a command reads and writes, and the sentences it may end with."""

from __future__ import annotations

from typing import NamedTuple, TextIO

FRAME_S = 0.4
FIRST_POLL_S = 0.15
LONGEST_POLL_S = 2.0
INTERRUPTED = 130  # the exit status after Ctrl-C, as shells have it


class CommandError(Exception):
    """What the user is told after `Error: `, and the exit status of the command."""

    exit_status = 1


class WorkFailed(CommandError):
    """The service has begun what was asked for, and it did not work."""

    exit_status = 3


class StillWorking(CommandError):
    """The time to wait is over, and the service goes on."""

    exit_status = 4


class Terminal(NamedTuple):
    """The streams of one invocation, and its paces in seconds."""

    stdin: TextIO
    out: TextIO
    err: TextIO
    frame_s: float = FRAME_S
    first_poll_s: float = FIRST_POLL_S
    longest_poll_s: float = LONGEST_POLL_S

    def print(self, text: str) -> None:
        """One or more lines of result."""
        self.out.write(f"{text}\n")
        self.out.flush()

    def warn(self, text: str) -> None:
        """Lines that are no result."""
        self.err.write(f"{text}\n")
        self.err.flush()


def printable(text: str) -> str:
    """`text` without control characters (line breaks and tabs stay): a server must not steer the terminal."""
    return "".join(c if c in "\n\t" or c.isprintable() else "?" for c in text)
