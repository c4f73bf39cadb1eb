"""`python -m bench.plugin`: how `drycc-resources` starts, installed and as one file, beside bare Python.

Needs no cluster: a service on the loopback answers. Exit status 0 when every bound is kept, else 1.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from bench import limits, page
from bench.figures import Figure, table
from demo.product import BIN
from packing.plugin import build
from tests.unit.plugin.service import environment, running

ROUNDS = 20
PYTHON = str(BIN / "python")


def starts() -> list[Figure]:
    """Bare Python, then both forms of the program; the commands take turns, so that all see the same machine."""
    with tempfile.TemporaryDirectory() as folder, running() as service:
        service.results("GET /v2/resources/services/", [{"id": "1", "name": "redis"}])
        one_file = Path(folder) / "drycc-resources"
        build(one_file)
        env = environment(service, Path(folder)) | {"PATH": os.environ["PATH"]}
        bare = ("python -c pass", [PYTHON, "-c", "pass"])
        programs = {"installed": [str(BIN / "drycc-resources")], "one file": [PYTHON, str(one_file)]}
        commands = [
            (f"drycc-resources {word}, {form}", [*program, word])
            for form, program in programs.items()
            for word in ("--help", "services")
        ]
        return _figures(*_medians([bare, *commands], env))


def _medians(commands: Sequence[tuple[str, list[str]]], env: Mapping[str, str]) -> list[tuple[str, float]]:
    """Milliseconds."""
    times: dict[str, list[float]] = {name: [] for name, _ in commands}
    for _ in range(ROUNDS):
        for name, command in commands:
            began = time.monotonic()
            subprocess.run(command, env=dict(env), stdout=subprocess.DEVNULL, check=True, timeout=60)
            times[name].append((time.monotonic() - began) * 1000)
    return [(name, statistics.median(found)) for name, found in times.items()]


def _figures(bare: tuple[str, float], *rest: tuple[str, float]) -> list[Figure]:
    found = [Figure(bare[0], bare[1], "ms", note=f"medians of {ROUNDS} rounds")]
    for name, median_ms in rest:
        note = f"{median_ms / bare[1]:.1f} times bare Python"
        found.append(Figure(name, median_ms, "ms", limits.START_LIMIT_MS, note))
    return found


def section(found: list[Figure]) -> str:
    """For docs/reference/performance.md."""
    return f"""\
## Start of the command line

Made by `python -m bench.plugin --write docs/reference/performance.md`, which needs no cluster: wall time from the
start of the process to its end; `services` asks a service on the loopback. A test of what is imported holds it.

{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {os.cpu_count()} cores, load average at the end {os.getloadavg()[0]:.1f}.

{table(found)}"""


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.plugin", description=__doc__)
    parser.add_argument("--write", type=Path, metavar="FILE", help="also replace the section of this page")
    chosen = parser.parse_args()
    found = starts()
    sys.stdout.write("".join(f"{each.name}: {each.text()}\n" for each in found))
    if chosen.write:
        page.put(chosen.write, "plugin", section(found))
    return 0 if all(each.kept for each in found) else 1


if __name__ == "__main__":
    sys.exit(main())
