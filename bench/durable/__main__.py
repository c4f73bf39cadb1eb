"""`python -m bench.durable`: durable operations on SQLite and PostgreSQL; needs no cluster.

Exit status 0 when every bound is kept, 1 when one is not.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench import page
from bench.durable.measuring import Bench, idle, rate, resume
from bench.figures import number
from tests.postgresql import empty_database, server

WORKERS = {"SQLite": (1, 2), "PostgreSQL": (1, 4)}
LEAST_RATE = {"SQLite": (1, 150.0), "PostgreSQL": (4, 200.0)}
"""So many workers end so many operations in a second."""
MOST_CPU_PERCENT, MOST_TRANSACTIONS, MOST_LATE_S = 1.0, 3.0, 2.0
LEASE_S = 5.0
COUNT = 1000

Row = tuple[str, str, str, bool]  # what, measured, bound, kept


@contextmanager
def database(name: str) -> Iterator[Bench]:
    """An empty database that waits for the disk."""
    if name == "SQLite":
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            yield Bench(f"sqlite:///{folder}/bench.db")
        return
    with server(durable=True) as postgresql:
        bench = Bench(empty_database(postgresql.url).replace("postgresql+psycopg:", "postgresql:"))
        yield bench
        bench.engine.dispose()


def measure(name: str, rounds: int, idle_s: float, kills: int) -> Iterator[Row]:
    """All figures of one database."""
    for workers in WORKERS[name]:
        for subjects in (COUNT, 10):
            with database(name) as bench:
                found = rate(bench, workers, COUNT, subjects, rounds)
            bound = LEAST_RATE[name][1] if workers == LEAST_RATE[name][0] else 0.0
            what = (
                f"operations in a second, {workers} worker{'s' * (workers > 1)}, {COUNT} over {subjects} subjects"
            )
            yield what, number(found), f"at least {number(bound)}" if bound else "", found >= bound
    with database(name) as bench:
        cpu, transactions = idle(bench, idle_s, counted=name == "PostgreSQL")
    yield (
        "CPU of one idle worker, percent of a core",
        number(cpu),
        f"less than {MOST_CPU_PERCENT:.0f}",
        (cpu < MOST_CPU_PERCENT),
    )
    if transactions:
        kept = transactions < MOST_TRANSACTIONS
        yield "its transactions in a second", number(transactions), f"less than {MOST_TRANSACTIONS:.0f}", kept
    with database(name) as bench:
        late = sorted(resume(bench, LEASE_S) for _ in range(kills))
    what = f"going on after kill -9, seconds after the lease ({LEASE_S:.0f} s) from the kill, the latest of {kills}"
    yield what, number(late[-1]), f"at most {MOST_LATE_S:.0f}", late[-1] <= MOST_LATE_S


def section(rows: dict[str, list[Row]]) -> str:
    """Of docs/reference/durability.md."""
    about = (
        "Made by `python -m bench.durable --write docs/reference/durability.md`, which needs no cluster.\n"
        "Operations have one step that does nothing; workers are processes; databases wait for the disk. Rates:\n"
        "from enqueueing the first to the end of the last. "
        f"Linux {platform.release()}, {os.cpu_count()} cores,\nload average at the end {os.getloadavg()[0]:.1f}."
    )
    lines = [
        "## Durable operations by themselves",
        "",
        about,
        "",
        "| | measured | bound | |",
        "|---|---:|---:|---|",
    ]
    for name, found in rows.items():
        lines += [
            f"| {name}: {what} | {value} | {bound} | {'' if kept else '**missed**'} |"
            for what, value, bound, kept in found
        ]
    return "\n".join(lines)


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.durable", description=__doc__)
    parser.add_argument("--write", type=Path, metavar="FILE", help="also replace the section of this page")
    parser.add_argument("--database", choices=WORKERS, action="append", help="default: both")
    parser.add_argument("--rounds", type=int, default=3, help="of each rate: the median; default: %(default)s")
    parser.add_argument("--idle", type=float, default=30.0, metavar="SECONDS", help="default: %(default)s")
    parser.add_argument("--kills", type=int, default=5, help="per database; default: %(default)s")
    chosen = parser.parse_args()
    rows: dict[str, list[Row]] = {}
    for name in chosen.database or WORKERS:
        rows[name] = []
        for row in measure(name, chosen.rounds, chosen.idle, chosen.kills):
            rows[name].append(row)
            print(f"{name}: {row[0]}: {row[1]} {f'({row[2]})' if row[2] else ''}{'' if row[3] else ' MISSED'}")
    if chosen.write:
        page.put(chosen.write, "durable", section(rows))
    return 0 if all(row[3] for found in rows.values() for row in found) else 1


if __name__ == "__main__":
    sys.exit(main())
