"""`python -m bench.api`: the broker's API under load, beside a bare Flask application on the same server.

Exit status 0 when every bound is kept, 1 when one is not, 2 when something could not be measured.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from bench import page
from bench.api.report import section, table
from bench.api.runs import Run, measure
from bench.api.servers import CannotServe

DATABASES = ("sqlite", "postgresql")


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.api", description=__doc__)
    parser.add_argument("--write", type=Path, metavar="FILE", help="also replace the section of this page")
    parser.add_argument("--seconds", type=float, default=0.6, help="how long each load lasts; default: %(default)s")
    parser.add_argument("--database", choices=DATABASES, action="append", help="default: both")
    chosen = parser.parse_args()
    try:
        runs: list[Run] = [measure(name, chosen.seconds) for name in chosen.database or DATABASES]
    except CannotServe as error:
        sys.stderr.write(f"bench: {error}\n")
        return 2
    sys.stdout.write(table(runs))
    if chosen.write:
        page.put(chosen.write, "api", section(runs))
    return 0 if all(promise.kept for run in runs for promise in run.promises()) else 1


if __name__ == "__main__":
    sys.exit(main())
