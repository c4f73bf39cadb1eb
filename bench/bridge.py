"""`python -m bench.bridge`: how long the bridge's API takes to list 1,000 resources of an app.

Needs no cluster: the API in this process, on SQLite. Exit status 0 when the bound is kept, else 1.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from bench import limits, page
from bench.figures import Figure, number, table
from tests.api.bridge.calls import Calls

RESOURCES, ROUNDS = 1000, 20


def lists() -> list[Figure]:
    """All of them in one page, and the page that clients ask for."""
    with tempfile.TemporaryDirectory() as folder:
        call = Calls(Path(folder))
        for each in range(RESOURCES):
            call.world.create(f"db-{each}")
        return [_list(call, limit) for limit in (RESOURCES, 100)]


def _list(call: Calls, most: int) -> Figure:
    times_ms, busy_ms = [], []
    for _ in range(ROUNDS):
        began, busy = time.monotonic(), time.process_time()
        answer = call("GET", f"/v2/apps/shop/resources/?limit={most}")
        times_ms.append((time.monotonic() - began) * 1000)
        busy_ms.append((time.process_time() - busy) * 1000)
        assert len(answer.json["results"]) == most
    note = f"medians of {ROUNDS}; {number(statistics.median(busy_ms))} ms of a processor"
    name = f"list of {most} of {RESOURCES} resources"
    return Figure(name, statistics.median(times_ms), "ms", limits.LIST_LIMIT_MS, note)


def section(found: list[Figure]) -> str:
    """For docs/reference/performance.md."""
    return f"""\
## Lists of the bridge

Made by `python -m bench.bridge --write docs/reference/performance.md`, which needs no cluster: the API in one
process, on SQLite, from the request to the last byte of its JSON.

{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {os.cpu_count()} cores, load average at the end {os.getloadavg()[0]:.1f}.

{table(found)}"""


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.bridge", description=__doc__)
    parser.add_argument("--write", type=Path, metavar="FILE", help="also replace the section of this page")
    chosen = parser.parse_args()
    found = lists()
    sys.stdout.write("".join(f"{each.name}: {each.text()}\n" for each in found))
    if chosen.write:
        page.put(chosen.write, "bridge", section(found))
    return 0 if all(each.kept for each in found) else 1


if __name__ == "__main__":
    sys.exit(main())
