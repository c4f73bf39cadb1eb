"""`python -m bench.keys`: what sealing costs, and how long a rotation of the key ring takes while the API serves.

Needs no cluster. Exit status 0 when every bound is kept, 1 when one is not, 2 when something could not be measured.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path

from bench import page
from bench.api.servers import CannotServe
from bench.figures import Figure, table
from bench.keys.measuring import ROWS, rotation, sealing

DATABASES = ("sqlite", "postgresql")


def section(found: list[Figure]) -> str:
    """For docs/reference/performance.md."""
    return f"""\
## The key ring

Made by `python -m bench.keys --write docs/reference/performance.md`, which needs no cluster. A secret is a JSON
object of 100 bytes. Rotation: {ROWS:,} instances with parameters under one key come under another one, as
`helmbroker keys rotate` brings them (without what the cluster remembers), while a client asks the API (a process
of its own) for one instance after the other. Databases wait for the disk.

{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, Linux {platform.release()}, {os.cpu_count()} cores,
load average at the end {os.getloadavg()[0]:.1f}.

{table(found)}"""


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.keys", description=__doc__)
    parser.add_argument("--write", type=Path, metavar="FILE", help="also replace the section of this page")
    parser.add_argument("--database", choices=DATABASES, action="append", help="default: both")
    chosen = parser.parse_args()
    found = list(sealing())
    try:
        for name in chosen.database or DATABASES:
            found += rotation(name)
    except CannotServe as error:
        sys.stderr.write(f"bench: {error}\n")
        return 2
    sys.stdout.write("".join(f"{each.name}: {each.text()}\n" for each in found))
    if chosen.write:
        page.put(chosen.write, "keys", section(found))
    return 0 if all(each.kept for each in found) else 1


if __name__ == "__main__":
    sys.exit(main())
