"""The worker dies at every place of every operation of the bridge, and a table of that: a program.

`python -m tests.operations.bridge.kill_points --write docs/reference/bridge-figures.md`
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from bench import page
from helmbroker.controller_bridge.operations.progress import TABLES, WAYS_BACK
from tests.operations.bridge.trials import ROWS, BridgeTrial, Row
from tests.operations.bridge.world import World
from tests.operations.sweep import How, assert_survives, disturbances, peace

_INTRO = """\
## Where its worker was killed

Made by `python -m tests.operations.bridge.kill_points --write docs/reference/bridge-figures.md`, which needs no
cluster. An operation runs once in peace, which finds the places where it meets the world: before and after every
call of broker and apps, before, inside and after every write. Then it runs once more for every place, and its
worker dies there; another one takes it over. *As in peace*: state, results, rows, broker, releases and the app's
environment are the same in the end. Besides being killed, operations are frozen and taken over, cancelled,
refused, and lose database or answers, by `make test` at some of these places and by `make sweep` at all, on SQLite
and PostgreSQL; processes are killed for real in [rotation under load](rotation.md)."""


@dataclass(frozen=True)
class Tried:
    """One operation."""

    name: str
    row: Row
    killed: int
    faults: list[str]

    def line(self) -> str:
        """Its row of the table."""
        steps, back = (len(tables.get(self.row.kind, ())) for tables in (TABLES, WAYS_BACK))
        survived = self.killed - len(self.faults)
        return f"| {self.name} | {self.row.state} | {steps} | {back or ''} | {self.killed} | {survived} |"


def tried(name: str, folder: Path) -> Tried:
    """Kill it everywhere."""
    trial, faults = BridgeTrial(World(folder), ROWS[name]), []
    calm = peace(trial, ROWS[name].state)
    deaths = [each for each in disturbances(trial, calm.places) if each[1] is How.DIES]
    for each in deaths:
        try:
            assert_survives(trial, calm, each)
        except AssertionError as error:
            faults.append(f"{name}: {error}")
    return Tried(name, ROWS[name], len(deaths), faults)


def section(found: list[Tried]) -> str:
    """For the page."""
    head = "| operation | ends | steps | way back | killed at places | as in peace |\n|---|---|---:|---:|---:|---:|"
    killed = sum(each.killed for each in found)
    survived = killed - sum(len(each.faults) for each in found)
    lines = [head, *(each.line() for each in found), f"| **all of them** | | | | {killed} | {survived} |"]
    return f"{_INTRO}\n\n" + "\n".join(lines)


def main() -> int:
    """The program. Exit status 1 when one did not end as in peace."""
    parser = argparse.ArgumentParser(prog="python -m tests.operations.bridge.kill_points", description=__doc__)
    parser.add_argument("--write", type=Path, metavar="FILE", help="also replace the section of this page")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = [tried(name, Path(folder)) for name in ROWS if "meanwhile" not in name]  # nothing else is asked
    sys.stdout.write("\n".join([section(found), *(fault for each in found for fault in each.faults)]) + "\n")
    if given.write:
        page.put(given.write, "kills", section(found))
    return 1 if any(each.faults for each in found) else 0


if __name__ == "__main__":
    sys.exit(main())
