"""A helm that tells of itself, so that two on one Helm release cannot be missed.

The wrapper takes a lock that belongs to the run and execs helm: the kernel holds the lock for exactly as long as
that helm lives, however it ends. Whoever comes to the same Helm release meanwhile finds it held, and says so.
"""

from __future__ import annotations

import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

# Commands that change nothing are not watched. $2 is the name of the Helm release in those that do.
_WRAPPER = """#!/bin/sh
case " $* " in *" --dry-run=server "*) exec {helm} "$@";; esac
case "${{1:-}}" in upgrade|rollback|uninstall) ;; *) exec {helm} "$@";; esac
place="{folder}/$2"
mkdir -p "$place"
exec 9>>"$place/door"
flock 9
for other in "$place"/run.*; do
  [ -e "$other" ] || continue
  if flock --nonblock "$other" true; then rm -f "$other"; continue; fi
  pid=${{other##*.}}
  state=$(sed 's/.*) //; s/ .*//' "/proc/$pid/stat" 2>/dev/null || echo gone)
  echo "$2 $1 $$ $pid $state" >> "{folder}/overlaps"
done
exec 8>"$place/run.$$"
flock 8
read -r now _ < /proc/uptime
echo "$now $2 $1 $$" >> "{folder}/runs"
exec 9>&-
exec {helm} "$@"
"""
_FROZEN = ("T", "t")


@dataclass(frozen=True)
class Overlap:
    """A helm that began on a Helm release while another one was there."""

    release: str
    command: str
    pid: int
    other: int
    state: str  # of the other, as in /proc/PID/stat

    @property
    def frozen(self) -> bool:
        """Whether the other could do nothing at that time."""
        return self.state in _FROZEN


class HelmRuns:
    """The wrapper in `folder`, and what its runs have told."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True)
        real = shutil.which("helm")
        if real is None:
            pytest.fail('there is no helm on PATH: eval "$(sandbox/sandbox env)"', pytrace=False)
        self.program = folder / "helm"
        self.program.write_text(_WRAPPER.format(helm=real, folder=folder))
        self.program.chmod(0o755)

    def overlaps(self) -> list[Overlap]:
        return [
            Overlap(release, command, int(pid), int(other), state)
            for release, command, pid, other, state in self._lines("overlaps")
        ]

    def commands(self) -> Counter[str]:
        """How many runs of each command there were."""
        return Counter(command for _, _, command, _ in self._lines("runs"))

    def _lines(self, name: str) -> list[list[str]]:
        path = self._folder / name
        return [line.split() for line in path.read_text().splitlines()] if path.exists() else []
