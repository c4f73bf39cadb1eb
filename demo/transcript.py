"""What the demo prints: stages with their times, commands with their output, and the summary."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TextIO

from bench.figures import Figure


@dataclass(frozen=True)
class Promise:
    """Something that had to be so, whether it was, and what shows it."""

    name: str
    kept: bool
    evidence: str
    measured: bool = False  # a figure with a bound: a busy machine may break it


@dataclass
class Transcript:
    """Prints as it goes, and remembers what was promised."""

    out: TextIO = field(default_factory=lambda: sys.stdout)
    promises: list[Promise] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)
    _stages: int = 0
    _began: float = field(default_factory=time.monotonic)

    def line(self, text: str = "") -> None:
        """One line."""
        self.out.write(f"{text}\n")
        self.out.flush()

    def say(self, text: str) -> None:
        """What the demo itself does or found."""
        self.line(f"   {text}")

    def command(self, text: str) -> None:
        """A command that a user could type."""
        self.line(f"   $ {text}")

    def output(self, text: str) -> None:
        """A line that a command printed."""
        self.line(f"     {text}".rstrip())

    @contextmanager
    def stage(self, title: str) -> Iterator[None]:
        """A stage; its time is printed at its end."""
        self._stages += 1
        began = time.monotonic()
        self.line(f"\n== {self._stages}. {title}")
        yield
        self.line(f"   [{time.monotonic() - began:.1f} s]")

    def promise(self, name: str, kept: bool, evidence: str, *, measured: bool = False) -> None:
        """Record and print whether something was as promised."""
        self.promises.append(Promise(name, kept, evidence, measured))
        self.say(f"{'yes' if kept else 'NO '}  {name}: {evidence}")

    def figure(self, figure: Figure) -> None:
        """Record a number; one with a bound is a promise too."""
        self.figures.append(figure)
        if figure.limit is None:
            self.say(f"     {figure.name}: {figure.text()}")
        else:
            self.promise(figure.name, figure.kept, figure.text(), measured=True)

    @property
    def exit_status(self) -> int:
        """0: everything was as promised. 3: all but figures, as on a busy machine. 1: the product did not work."""
        broken = [promise for promise in self.promises if not promise.kept]
        if not broken:
            return 0
        return 3 if all(promise.measured for promise in broken) else 1

    def summary(self) -> None:
        """All promises in one table."""
        self.line(f"\n== Summary after {time.monotonic() - self._began:.0f} s")
        rows = [("yes" if promise.kept else "NO", promise.name, promise.evidence) for promise in self.promises]
        for row in columns(rows):
            self.line(f"   {row}")
        broken = sum(not promise.kept for promise in self.promises)
        kept = len(self.promises) - broken
        self.line(
            f"\n   {kept} of {len(self.promises)} promises kept{'' if broken else ': everything was as said'}."
        )


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as lines, their cells below each other."""
    widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]))] if rows else []
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
