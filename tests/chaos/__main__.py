"""`python -m tests.chaos`: kill, freeze and cut off the product while it works; JSON on the output.

Exit status 0 when no promise was broken, 1 when one was.
"""

from __future__ import annotations

import argparse
import logging
import os
import secrets
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from bench import page
from sandbox import settings, state
from tests.chaos import report
from tests.chaos.forms import ENOUGH, FORMS
from tests.chaos.run import run
from tests.cluster.broker import arguments, descendants
from tests.cluster.reach import connect

INTRO = """\
Made by `make chaos`: `python -m tests.chaos --write docs/reference/durability.md`. API and worker processes
over one database, on a real cluster with real helm, are killed, frozen and cut off at random moments, and
started again at once, while clients provision, update, bind, unbind and delete as impatient platforms do. Two
helms on one Helm release cannot be missed: each holds a lock in the kernel for as long as it lives. At the end
every accepted operation has ended, records and cluster have the same, each surviving binding logs in and each
removed one cannot, no secret is in any log, and after everything was deleted nothing is left. A seed repeats
the plan of disturbances.
""".rstrip()


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1_000_000))
    parser.add_argument("--kills", type=int, default=ENOUGH.kills)
    parser.add_argument("--operations", type=int, default=ENOUGH.operations)
    parser.add_argument(
        "--most-s", type=float, default=ENOUGH.most_s, help="begin nothing new after so many seconds"
    )
    parser.add_argument("--database", choices=[*FORMS, "both"], default="postgresql")
    parser.add_argument("--freeze-api-server", action="store_true", help="of the sandbox, which must be ours alone")
    parser.add_argument("--write", type=Path, help="a page, whose section on chaos is replaced")
    parser.add_argument("--keep", type=Path, help="an empty folder for logs, instead of a temporary one")
    chosen = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s")
    logging.getLogger("chaos").setLevel(logging.INFO)
    length = replace(ENOUGH, kills=chosen.kills, operations=chosen.operations, most_s=chosen.most_s)
    api_server = _api_server() if chosen.freeze_api_server else None
    names = list(FORMS) if chosen.database == "both" else [chosen.database]
    found = []
    for name in names:
        sys.stderr.write(f"chaos: {name}, seed {chosen.seed}\n")
        with tempfile.TemporaryDirectory(prefix="chaos-") as temporary:
            folder = (chosen.keep or Path(temporary)) / name
            folder.mkdir(parents=True)
            kube = connect()
            found.append(run(kube, folder, FORMS[name], chosen.seed, length, api_server=api_server))
            kube.close()
        sys.stdout.write(found[-1].json() + "\n")
        sys.stdout.flush()
    if chosen.write is not None:
        page.put(chosen.write, "chaos", report.section(INTRO, found))
    return 1 if any(each.violations for each in found) else 0


def _api_server() -> int:
    """The pid of the sandbox's."""
    known = state.read(settings.Settings.from_environment(os.environ).data)
    pids = [] if known is None else [known.node.pid, *descendants(known.node.pid)]
    found = [pid for pid in pids if os.path.basename(arguments(pid)[0]) == "kube-apiserver"]  # noqa: PTH119 - no path
    if len(found) != 1:
        raise SystemExit("chaos: there is no sandbox whose API server could be stopped")
    return found[0]


if __name__ == "__main__":
    sys.exit(main())
