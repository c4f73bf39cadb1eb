"""`python -m bench.operators`: what operators look at, with 10,000 instances: /metrics, and lists.

Exit status 0 when every answer came in time, 1 when one did not, 2 when something could not be measured.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from bench import page
from bench.api import servers, stock
from bench.api.measuring import measured
from bench.figures import Figure, table
from helmbroker.broker.api.auth import logins
from tests.postgresql import empty_database, server

STORED, ROUNDS = 10_000, 15
LIMIT_MS = 100.0
PATHS = (
    "/metrics",
    "/admin/operations",
    "/admin/operations?limit=1000",
    "/admin/operations?state=running&state=queued",
    "/admin/operations?instance_id=i5000",
    "/admin/workers",
    "/admin/findings",
)


def measure(name: str, url: str | None) -> Iterator[Figure]:
    """The median answer of each path; `url`: of an empty database, or None for SQLite."""
    with tempfile.TemporaryDirectory(prefix="bench-") as made:
        folder = Path(made)
        addons = stock.shelf(folder / "addons")
        with measured(folder / "data", url, addons, stock.catalog(addons), STORED) as broker:
            broker.stock.live()
            broker.stock.settle()
            token = logins.add(folder / "data" / "admins", "bench")
            for path in PATHS:
                took = [_took_ms(broker.port, path, token) for _ in range(ROUNDS + 1)][1:]
                slowest = f"slowest {max(took):.0f} ms"
                yield Figure(f"{name}: GET {path}", median(took), "ms", LIMIT_MS, slowest)


def _took_ms(port: int, path: str, token: str) -> float:
    address = f"http://127.0.0.1:{port}{path}"
    request = urllib.request.Request(address, headers={"Authorization": f"Bearer {token}"})
    began = time.perf_counter()
    with urllib.request.urlopen(request, timeout=servers.START_S) as answer:  # noqa: S310
        answer.read()
    return (time.perf_counter() - began) * 1000


def section(found: list[Figure]) -> str:
    """For docs/reference/performance.md."""
    return f"""\
## What operators look at

Made by `python -m bench.operators --write docs/reference/performance.md`, which needs no cluster: a broker with
{STORED:,} instances, as many bindings and four times as many operations; the median of {ROUNDS} answers to one
client.

{table(found)}"""


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.operators", description=__doc__)
    parser.add_argument("--write", type=Path, metavar="FILE", help="also replace the section of this page")
    parser.add_argument("--database", choices=("sqlite", "postgresql"), action="append", help="default: both")
    chosen = parser.parse_args()
    found: list[Figure] = []
    try:
        for database in chosen.database or ("sqlite", "postgresql"):
            if database == "sqlite":
                found += measure("SQLite", None)
            else:
                with server(durable=True) as running:
                    found += measure("PostgreSQL", empty_database(running.url))
    except servers.CannotServe as error:
        sys.stderr.write(f"bench: {error}\n")
        return 2
    sys.stdout.write(f"{table(found)}\n")
    if chosen.write:
        page.put(chosen.write, "operators", section(found))
    return 0 if all(each.kept for each in found) else 1


if __name__ == "__main__":
    sys.exit(main())
