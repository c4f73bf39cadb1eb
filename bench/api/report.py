"""The figures as tables: for the terminal, and as a page of the reference."""

from __future__ import annotations

import os
import platform
import sqlite3
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from bench.api.measuring import CLIENTS, ROUNDS, STORED, THREADS, WAITING
from bench.api.runs import BARE, Request, Run
from bench.figures import number

COMMAND = "python -m bench.api --write docs/reference/performance.md"
_NAMES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}


def section(runs: list[Run]) -> str:
    """For docs/reference/performance.md."""
    return f"""\
## The API

Made by `{COMMAND}`, which needs no cluster.
Rates are answers in a second, the median of {ROUNDS} rounds; in each round the bare application and the brokers
with {_listed(STORED)} stored instances are asked one after the other, so that whatever else the machine did
is the same for all. *Bare* is a Flask application with one route that answers `hello`, on the same server
(gunicorn, {THREADS} threads) with the same settings. The load generator is a process on the same machine.
Databases wait for the disk, as they do in production.

{table(runs)}"""


def table(runs: list[Run]) -> str:
    """Machine, promises, and all figures."""
    return "\n".join([_facts(), *map(_promises, runs), *map(_rates, runs), *map(_health, runs)])


def _facts() -> str:
    cpu = next((line.partition(": ")[2] for line in _lines("/proc/cpuinfo") if line.startswith("model name")), "?")
    memory = next(line.split()[1] for line in _lines("/proc/meminfo") if line.startswith("MemTotal"))
    packages = ", ".join(f"{name} {version(name)}" for name in ("flask", "gunicorn", "sqlalchemy", "psycopg"))
    return f"""\
| | |
|---|---|
| date | {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, commit {_commit()} |
| machine | {os.cpu_count()} x {cpu}, {int(memory) / 2**20:.1f} GiB, Linux {platform.release()} |
| load average at the end | {os.getloadavg()[0]:.1f} (of which about 2 are the measurement's own) |
| programs | Python {platform.python_version()}, {packages}, SQLite {sqlite3.sqlite_version} |
"""


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines()


def _commit() -> str:
    ran = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return ran.stdout.strip() or "?"


def _promises(run: Run) -> str:
    rows = [f"### {_NAMES[run.database]}: what was promised\n", "| | measured | bound | |", "|---|---:|---:|---|"]
    for each in run.promises():
        word = "at least" if each.least else "at most"
        bound = "" if each.limit == float("inf") else f"{word} {number(each.limit)}"
        rows.append(f"| {each.text} | {number(each.value)} | {bound} | {'' if each.kept else '**missed**'} |")
    return "\n".join(rows) + "\n"


def _rates(run: Run) -> str:
    heads = [f"{stored:,} stored" for stored in STORED]
    rows = [
        f"### {_NAMES[run.database]}: answers in a second, and the 99th percentile in ms\n",
        f"| | clients | bare | {' | '.join(heads)} |",
        f"|---|---:|---:|{'---:|' * len(heads)}",
    ]
    for request in Request:
        for clients in CLIENTS:
            cells = [_cell(run, request, clients, stored) for stored in (BARE, *STORED)]
            rows.append(f"| {request} | {clients} | {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"


def _cell(run: Run, request: Request, clients: int, stored: int) -> str:
    series = run.series[(request, clients, stored)]
    return f"{series.rate:,.0f} ({number(series.percentile_ms(99))} ms)"


def _health(run: Run) -> str:
    before, during = (run.health[waiting] for waiting in (0, WAITING))
    return (
        f"{_NAMES[run.database]}: GET /healthz from 10 clients is answered {before.rate:,.0f} times in a second, "
        f"the 99th percentile in {number(before.percentile_ms(99))} ms; while {WAITING} binds wait "
        f"{during.rate:,.0f} times, in {number(during.percentile_ms(99))} ms.\n"
    )


def _listed(numbers: tuple[int, ...]) -> str:
    return ", ".join(f"{each:,}" for each in numbers[:-1]) + f" and {numbers[-1]:,}"
