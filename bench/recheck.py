"""`python -m bench.recheck`: 500 apps are looked at again after a Drycc controller was away, in real time.

Needs no cluster, and twelve minutes of doing next to nothing. Exit status 0 when every bound is kept, else 1.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import threading
import time
from bisect import bisect_left
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from bench import page
from bench.figures import Figure, table
from helmbroker.controller_bridge.apps.drycc.budget import Turns
from helmbroker.controller_bridge.apps.drycc.calls import Calls
from helmbroker.controller_bridge.apps.drycc.client import ControllerClient
from helmbroker.controller_bridge.drycc_store import SqlBudget, WatchedApps
from helmbroker.controller_bridge.drycc_watch import EVERY_S, Watch
from helmbroker.controller_bridge.settings import Settings
from helmbroker.durable import Context
from tests.chaos.report import machine
from tests.fakes.drycc.config import Refusal
from tests.fakes.drycc_controller import DryccController
from tests.operations.bridge.world import World

APPS = 500
AWAY_FOR = 6
"""So many requests are answered by 503 until the controller is there again."""
OF_A_BIND = 7
"""Requests that a bind sends until the app's release is there."""
POLL_S, GRACE_S = (float(Settings.model_fields[name].default) for name in ("drycc_poll_s", "drycc_gone_grace_s"))
INTRO = f"""\
Made by `python -m bench.recheck --write docs/reference/performance.md`, which needs no cluster: the bridge's own
watch on SQLite, in real time, at the test controller over HTTP, which counts and refuses as Drycc does. {APPS}
apps with a resource each are all due at once, and the controller, not yet up again, answers its first {AWAY_FOR}
requests by 503. Once a minute {OF_A_BIND} requests are sent in a row, as a bind does. The last app has to be
looked at before the first one is due again, after {POLL_S:.0f} s.
""".rstrip()


class Unbothered:
    """The context of a schedule that nobody ends."""

    def check(self) -> None:
        """Go on."""


@dataclass
class Seen:
    """What the controller was asked, in seconds from the beginning."""

    took_s: float = 0.0
    requests_s: list[float] = field(default_factory=list)
    binds_s: list[float] = field(default_factory=list)  # what the requests of a user's bind took
    refused: int = 0

    def most_within(self, seconds: float) -> int:
        """The most requests in any so many seconds."""
        sent = sorted(self.requests_s)
        return max((number - bisect_left(sent, at - seconds) + 1 for number, at in enumerate(sent)), default=0)


def recheck(folder: Path, per_minute: int) -> Seen:
    """Until all were looked at."""
    seen, began, world = Seen(), time.monotonic(), World(folder)

    def clock() -> float:
        """Asked by the controller at each request, before it refuses it or not."""
        seen.requests_s.append(time.monotonic() - began)
        return time.monotonic()

    with closing(DryccController(throttle=per_minute, clock=clock)) as controller:
        watched, due = _known(world, controller), time.time()
        controller.fail("GET", ".*", Refusal(503, {"detail": "away"}), times=AWAY_FOR)
        ours, users = (_calls(world, controller, per_minute, idle=idle) for idle in (True, False))
        watch = Watch(world.store, world.service, ours, POLL_S, GRACE_S, watched.clock)
        began, pause, left = time.monotonic(), threading.Event(), APPS
        while left:
            watch.run(cast("Context", Unbothered()))
            left = len(watched.due(due + POLL_S - 1))
            seen.took_s = time.monotonic() - began
            if seen.took_s // 60 > len(seen.binds_s):
                seen.binds_s.append(_bind(users))
            pause.wait(EVERY_S if left else 0)
        seen.refused = len(seen.requests_s) - len(controller.calls)
    world.store.engine.dispose()
    return seen


def _known(world: World, controller: DryccController) -> WatchedApps:
    """Apps with a resource each, as they were found by a look before; all are due."""
    watched, moment = WatchedApps(world.store), time.time()
    for number in range(APPS):
        app = f"app-{number}"
        controller.rules.create_app(app)
        controller.rules.push(app, {"web": "shop:1"})
        controller.rules.work(app)
        world.create(app=app)
    watched.gather(moment)
    with world.store.writing() as conn:
        for found in watched.due(moment):
            first, *_, last = controller.rules.apps[found.app].releases
            watched.looked(conn, found, again=moment, seen=last.version, born=first.uuid)
    return watched


def _calls(world: World, controller: DryccController, per_minute: int, *, idle: bool) -> Calls:
    turns = Turns(SqlBudget(world.store, per_minute), idle=idle)
    return Calls(ControllerClient(controller.url), lambda: controller.staff, turns)


def _bind(calls: Calls) -> float:
    """Seconds that as many requests take as a bind sends."""
    began = time.monotonic()
    for _ in range(OF_A_BIND):
        calls.newest("app-0", 1)
    return time.monotonic() - began


def figures(seen: Seen, per_minute: int) -> list[Figure]:
    """What it came to."""
    slowest_s = max(seen.binds_s, default=0.0)
    return [
        Figure(f"{APPS} apps looked at again", seen.took_s, "s", POLL_S),
        Figure("requests to the controller in any minute, the most", seen.most_within(60.0), "", per_minute),
        Figure("requests that its throttle refused", seen.refused, "", 0, f"of {len(seen.requests_s)}"),
        Figure("requests in any second, the most", seen.most_within(1.0), "", per_minute // 4),
        Figure(
            f"{OF_A_BIND} requests of a user meanwhile, the slowest", slowest_s, "s", note=f"of {len(seen.binds_s)}"
        ),
    ]


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.recheck", description=__doc__)
    parser.add_argument(
        "--per-minute", type=int, default=60, help="what the controller allows; default: %(default)s"
    )
    parser.add_argument("--write", type=Path, metavar="FILE", help="also replace the section of this page")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        found = figures(recheck(Path(folder), chosen.per_minute), chosen.per_minute)
    sys.stdout.write(json.dumps([figure.record() for figure in found], indent=2) + "\n")
    if chosen.write is not None:
        text = f"## Apps looked at again\n\n{INTRO}\n\nMachine: {machine()}.\n\n{table(found)}"
        page.put(chosen.write, "recheck", text)
    return 0 if all(figure.kept for figure in found) else 1


if __name__ == "__main__":
    sys.exit(main())
