"""How a command shows that it works: old-style frames, one live line on a terminal, or plain lines."""

from __future__ import annotations

import shutil
import threading
import time
from abc import ABC, abstractmethod
from typing import Self, TextIO

from helmbroker.controller_bridge.plugin.output import width
from helmbroker.controller_bridge.plugin.terminal import printable

FRAMES = ("...", "o..", ".o.", "..o")
ERASE = "\b\b\b"
REWRITE = "\r\x1b[K"


class Progress(ABC):
    """A context manager around the work: `say` what it waits for, `done` at its end; an exception ends it too."""

    def __init__(self, out: TextIO, title: str) -> None:
        self._out = out
        self._title = title
        self._began = time.monotonic()
        self._done: str | None = None

    @abstractmethod
    def say(self, message: str) -> None:
        """What the work waits for at the moment. May be repeated."""

    def done(self, result: str = "") -> None:
        """The work succeeded; `result` says more, on the same line."""
        self._done = result

    def took(self) -> str:
        """Time since the beginning."""
        return f"{time.monotonic() - self._began:.1f}s"

    def __enter__(self) -> Self:
        self._begin()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._end(self._done)
        self._out.flush()

    @abstractmethod
    def _begin(self) -> None:
        """Print the title."""

    @abstractmethod
    def _end(self, done: str | None) -> None:
        """Print the end; `done` is None after a failure, whose reason is printed by somebody else."""


class Ticking(Progress):
    """A progress that moves by itself until its end."""

    def __init__(self, out: TextIO, title: str, frame_s: float) -> None:
        super().__init__(out, title)
        self._frame_s = frame_s
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._tick, daemon=True)

    def _begin(self) -> None:
        self._draw(0)
        self._thread.start()

    def _tick(self) -> None:
        number = 0
        while not self._ended.wait(self._frame_s):
            number += 1
            self._draw(number)

    def _end(self, done: str | None) -> None:
        self._ended.set()
        self._thread.join()
        self._finish(done)

    @abstractmethod
    def _draw(self, number: int) -> None:
        """Show a frame."""

    @abstractmethod
    def _finish(self, done: str | None) -> None:
        """Print the end after the last frame."""


class Frames(Ticking):
    """Dots that move, each erased by the next: what the command has always printed around one request."""

    def say(self, message: str) -> None:
        """One request has nothing to say."""

    def _draw(self, number: int) -> None:
        before = ERASE if number else self._title
        self._out.write(before + FRAMES[number % len(FRAMES)])
        self._out.flush()

    def _finish(self, done: str | None) -> None:
        self._out.write(ERASE)
        if done is not None:
            self._out.write(f"done{', ' if done else ''}{done}\n")


class LiveLine(Ticking):
    """One line of a terminal, rewritten: title, dots, and what is waited for."""

    def __init__(self, out: TextIO, title: str, frame_s: float) -> None:
        super().__init__(out, title.strip() + " ", frame_s)
        self._message = ""
        self._drawing = threading.Lock()
        self._number = 0

    def say(self, message: str) -> None:
        """See Progress."""
        self._message = " ".join(printable(message).split())
        self._draw(self._number)

    def _draw(self, number: int) -> None:
        with self._drawing:
            self._number = number
            line = f"{self._title}{FRAMES[number % len(FRAMES)]} {self._message}"
            columns = shutil.get_terminal_size().columns - 1
            while width(line) > columns:
                line = line[:-1]
            self._out.write(REWRITE + line)
            self._out.flush()

    def _finish(self, done: str | None) -> None:
        end = "failed" if done is None else f"done in {self.took()}{', ' if done else ''}{done}"
        self._out.write(f"{REWRITE}{self._title}{end}\n")


class PlainLines(Progress):
    """A line for each new thing that is waited for: for logs and pipes."""

    def __init__(self, out: TextIO, title: str) -> None:
        super().__init__(out, title)
        self._message = ""

    def say(self, message: str) -> None:
        """See Progress."""
        line = " ".join(printable(message).split())
        if line and line != self._message:
            self._message = line
            self._out.write(f"  {self.took():>6} {line}\n")
            self._out.flush()

    def _begin(self) -> None:
        self._out.write(f"{self._title.strip()}\n")
        self._out.flush()

    def _end(self, done: str | None) -> None:
        if done is not None:
            self._out.write(f"done in {self.took()}{', ' if done else ''}{done}\n")


def live(out: TextIO, title: str, frame_s: float) -> Progress:
    """The progress of a command that waits: one live line on a terminal, else plain lines."""
    return LiveLine(out, title, frame_s) if out.isatty() else PlainLines(out, title)
