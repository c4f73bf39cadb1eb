"""Rotations under steady requests that write, measured: the program that makes the report.

`python -m tests.cluster.rotations --times 20 --write docs/reference/rotation.md`
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from helmbroker.controller_bridge.operations.rotate import STEPS
from tests.chaos.report import machine
from tests.cluster.bridge import GRACE_S
from tests.cluster.busy_shop import PER_SECOND, Asked
from tests.cluster.reach import connect, pause
from tests.cluster.rotating_shop import Rotation, Scene, scene

BEFORE_S = AFTER_S = 20.0
_ALL = "**all of it**"
KILLS = (
    ("cache", "worker", "await rollout"),
    ("database", "bridge", "await binding"),
    ("cache", "bridge", "await rollout"),
    ("database", "bridge", "await revoke"),
    ("cache", "worker of the broker", "await binding"),
)


@dataclass(frozen=True)
class Found:
    """What a run came to."""

    in_a_row: list[Rotation]
    killed: Mapping[str, Rotation]  # by what was killed when
    in_vain: Rotation
    asked: Asked
    written: tuple[int, int, int, int]  # rows, different ones; entries, different ones

    @property
    def broken(self) -> list[str]:
        """What did not go as promised."""
        said = [
            f"{each.resource}: {each.message}; old: {each.said_to_old or 'let in'}; new: {each.said_to_new}"
            for each in (*self.in_a_row, *self.killed.values())
            if not each.replaced
        ]
        if not self.in_vain.failed or self.in_vain.said_to_old:
            said.append(f"the rotation that had to fail: {self.in_vain.message}; {self.in_vain.said_to_old}")
        if set(self.written) != {self.asked.sent}:
            said.append(f"{self.asked.sent} requests have made, in all and different ones: {self.written}")
        return said + self.asked.errors

    def page(self) -> str:
        """The report."""
        return (
            "\n\n".join([_INTRO, f"Machine: {machine()}.", self._requests(), self._counts(), self._steps()]) + "\n"
        )

    def _requests(self) -> str:
        begin, end = self.in_a_row[0].began, self.in_a_row[-1].ended
        times = {
            "before": (0.0, begin),
            f"during {len(self.in_a_row)} rotations in a row": (begin, end),
            **{
                f"during one {what}; it took {one.took_s:.0f} s": (one.began, one.ended)
                for what, one in (*self.killed.items(), ("whose rollout fails", self.in_vain))
            },
            "after": (self.in_vain.ended, float("inf")),
        }
        return self.asked.table(times)

    def _counts(self) -> str:
        rows, different_rows, entries, different_entries = self.written
        done, sent = [*self.in_a_row, *self.killed.values()], self.asked.sent
        replaced = sum(each.replaced for each in done)
        kept = self.in_vain.failed and not self.in_vain.said_to_old
        facts = {
            "requests, each of which writes a row and an entry": sent,
            "rows lost; doubled (PostgreSQL)": f"{sent - different_rows}; {rows - different_rows}",
            "entries lost; doubled (Redis)": f"{sent - different_entries}; {entries - different_entries}",
            "rotations of the database; of the cache": "; ".join(
                str(sum(each.resource == name for each in done)) for name in ("database", "cache")
            ),
            "of these, old credentials are refused and new ones let in": f"{replaced} of {len(done)}",
            "the rotation whose rollout fails says": f"`{self.in_vain.message}`",
            "the old credentials, which the app keeps, are let in after that": "yes" if kept else "**no**",
        }
        return "\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in facts.items())])

    def _steps(self) -> str:
        rows = ["| step | database, mean | cache, mean | longest |", "|---|---:|---:|---:|"]
        spent = [(one.resource, {**one.phases_s, _ALL: one.took_s}) for one in self.in_a_row]
        for name in (*(step.name for step in STEPS), _ALL):
            of_each = [(resource, times.get(name, 0.0)) for resource, times in spent]
            means = (_mean([s for one, s in of_each if one == resource]) for resource in ("database", "cache"))
            numbers = " | ".join(f"{value:.1f} s" for value in (*means, max(s for _, s in of_each)))
            rows.append(f"| {name} | {numbers} |")
        return "\n".join(rows)


def _mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def measure(made: Scene, times: int) -> Found:
    """So many in a row, those of the database and of the cache in turns; then with deaths; then one in vain."""
    named = {"database": made.database, "cache": made.cache}
    in_a_row = [made.rotate((made.database, made.cache)[number % 2]) for number in range(times)]
    ways = {
        "worker": made.bridge.kill_worker,
        "bridge": made.bridge.kill,
        "worker of the broker": made.kill_broker_worker,
    }
    killed = {
        f"of the {name} with the {who} killed by -9 at `{step}`": made.rotate(
            named[name], at=step, disturb=ways[who]
        )
        for name, who, step in KILLS
    }
    in_vain = made.rotate_in_vain()
    pause(AFTER_S)
    return Found(in_a_row, killed, in_vain, made.end(), made.written())


_INTRO = f"""\
# Rotation under load: what was measured

Made by `python -m tests.cluster.rotations --times 20 --write docs/reference/rotation.md` on a cluster. An app of
two process types, three pods, is bound to a PostgreSQL and a Redis of plan `small`. It answers each request with an
INSERT and an RPUSH through pools of connections, and tries nothing twice. A customer asks it {PER_SECOND} times a
second, each time on a new connection, while the credentials of the one and of the other are rotated in turns. A
write is lost when its number is not there in the end, doubled when it is there again. Each login is tried by a pod.

The pause for open connections is {GRACE_S} s here (by default 30 s). After a death of the bridge or of its worker
the rotation goes on when the lease of its operation is over, after 10 s here (by default 60 s), after 5 s when it
was the broker's worker. Times of steps are as a user sees them who looks ten times a second. A shorter run of the
same is part of `make night`."""


def main() -> int:
    """The program. Exit status 1 when something did not go as promised."""
    parser = argparse.ArgumentParser(prog="python -m tests.cluster.rotations", description=__doc__)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--write", type=Path, help="the page to write")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, scene(connect(), Path(folder), before_s=BEFORE_S) as made:
        found = measure(made, given.times)
        sys.stdout.write("\n".join([found.page(), *found.broken]))
        if given.write:
            given.write.write_text(found.page())
    return 1 if found.broken else 0


if __name__ == "__main__":
    sys.exit(main())
