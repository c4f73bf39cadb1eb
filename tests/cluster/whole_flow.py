"""Everything that the bridge does with a bound app, under steady requests that write, measured: a program.

`python -m tests.cluster.whole_flow --write docs/reference/bridge-figures.md`
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from bench import page
from helmbroker.kubeapi.port import Kube
from tests.chaos.report import machine
from tests.cluster.addons import copies, probe
from tests.cluster.bridge import Resource
from tests.cluster.busy_shop import PER_SECOND, Asked
from tests.cluster.osb import END_S
from tests.cluster.reach import connect, eventually, pause
from tests.cluster.rotating_shop import DATABASE, Scene, scene

AROUND_S = 10.0
FULL = "the server takes no more users"


@dataclass(frozen=True)
class Act:
    """One thing that was asked of the bridge. Times in epoch seconds; `said`: what the bridge says of its end."""

    name: str
    began: float
    ended: float
    failed: bool
    said: str
    has_to_fail: bool
    has_to_say: str

    @property
    def fault(self) -> str:
        """What did not go as promised; empty: nothing."""
        if self.failed is self.has_to_fail and self.has_to_say in self.said:
            return ""
        return f"{self.name} {'failed' if self.failed else 'succeeded'}: {self.said}"


@dataclass(frozen=True)
class Flow:
    """The acts in their order, the requests of all the time, and what they have written."""

    acts: list[Act]
    asked: Asked
    written: tuple[int, int, int, int]  # rows, different ones; entries, different ones

    @property
    def broken(self) -> list[str]:
        """What did not go as promised."""
        faults = [each.fault for each in self.acts if each.fault]
        if set(self.written[:2]) != {self.asked.sent}:
            faults.append(
                f"{self.asked.sent} requests have made rows, in all and different ones: {self.written[:2]}"
            )
        return faults + self.asked.errors

    def section(self) -> str:
        """For the page."""
        times = {
            "before": (0.0, self.acts[0].began),
            **{f"{each.name}; {each.ended - each.began:.0f} s": (each.began, each.ended) for each in self.acts},
            "after": (self.acts[-1].ended, float("inf")),
        }
        told = "\n".join(f"- {each.name}: `{each.said}`" for each in self.acts if each.said)
        rows, different, *_ = self.written
        lost = f"Rows lost: {self.asked.sent - different}; doubled: {rows - different}; of {self.asked.sent}."
        parts = [
            _INTRO,
            f"Machine: {machine()}.",
            self.asked.table(times),
            lost,
            f"What the bridge said:\n\n{told}",
        ]
        return "\n\n".join(parts)


class Play:
    """The acts, one after the other."""

    def __init__(self, made: Scene) -> None:
        self._made, self._acts = made, list[Act]()
        self._trap, self._full = (Resource(made.bridge, made.namespace, name) for name in ("trap", "full"))

    def acts(self) -> list[Act]:
        """Play them all."""
        made, bridge, app = self._made, self._made.bridge, f"/apps/{self._made.namespace}"
        self._trap.create("external:credentials", {"uri": "nowhere"})
        self._full.create("full:small")
        for resource in (self._trap, self._full):
            resource.follow("status")
        self._resource("bind of the cache", made.cache, made.cache.bind, "are live in the app")
        to_version = self._newest()["version"]
        update = partial(made.database.update, "postgresql:small", {"storage.size": "2Gi"})
        self._resource("update of the bound database", made.database, update, "updated successfully", of="status")
        level = {"values": [{"name": "LEVEL", "value": "debug", "group": "global"}]}
        self._release("change of the app's own config", lambda: bridge.expect("POST", f"{app}/config/", level))
        for resource in (made.database, made.cache):
            self._resource(
                f"rotation of the {resource.name}", resource, resource.rotate, "the old ones are revoked"
            )
        self._resource("bind that the broker fails", self._full, self._full.bind, FULL, fails=True)
        told = "this app does not start with these credentials"
        self._resource("bind whose rollout fails", self._trap, self._trap.bind, told, fails=True)
        back = f"rollback to before that config, by v{to_version}"
        self._release(back, lambda: bridge.expect("POST", f"{app}/releases/rollback/", {"version": to_version}))
        self._resource("unbind of the cache", made.cache, made.cache.unbind, "The binding is gone")
        return self._acts

    def _resource(
        self,
        name: str,
        resource: Resource,
        begin: Callable[[], None],
        says: str,
        *,
        of: str = "binding",
        fails: bool = False,
    ) -> None:
        """`of`: the field that tells of its end."""
        began = time.time()
        begin()
        end = resource.follow(of)
        self._acts.append(Act(name, began, time.time(), bool(end["failed"]), str(end["message"]), fails, says))

    def _release(self, name: str, begin: Callable[[], object]) -> None:
        """A release that belongs to no resource."""
        before, began = self._newest()["version"], time.time()
        begin()

        def ended() -> dict[str, Any] | None:
            found = self._newest()
            return found if found["version"] > before and found["state"] != "created" else None

        end = eventually(ended, within_s=END_S)
        said = str(end["exception"] or "")
        self._acts.append(Act(name, began, time.time(), end["failed"], said, has_to_fail=False, has_to_say=""))

    def _newest(self) -> dict[str, Any]:
        (found,) = self._made.bridge.expect("GET", f"/apps/{self._made.namespace}/releases/?limit=1")["results"]
        return dict(found)


@contextmanager
def stage(kube: Kube, folder: Path, *, around_s: float) -> Iterator[Scene]:
    """An app with a database and without a cache yet; the broker offers a class whose binds fail as well."""
    addons = folder / "addons"
    copies(addons)
    probe(addons, "full")
    values = addons / "full" / "binding" / "values.yaml"
    script = f'make: "echo {FULL} >&2; exit 1"'
    values.write_text(values.read_text().replace('make: ""', script))
    environment = {"HELMBROKER_ADDONS_DIR": str(addons)}
    with scene(kube, folder, before_s=around_s, bound=[DATABASE], environment=environment) as made:
        yield made


def flow(made: Scene, *, around_s: float) -> Flow:
    """Play it, and let the customer go on for a while."""
    acts = Play(made).acts()
    pause(around_s)
    return Flow(acts, made.end(), made.written())


_INTRO = f"""\
## Requests while the bridge works

Made by `python -m tests.cluster.whole_flow --write docs/reference/bridge-figures.md` on a cluster: broker, bridge,
and an app of two process types, three pods. A customer asks it {PER_SECOND} times a second, each time on a new
connection. Every request writes a row to PostgreSQL, and an entry to Redis while the app has one; nothing is tried
twice. Meanwhile the bridge is asked for one thing after the other; a row of the table is from asking until the
bridge says that it has ended. The update grows the database's volume; a change of plan restarts a server that
stands alone, and its app notices, with or without the bridge. A shorter run of the same is part of `make test`;
rotations in a row, with processes killed, are in [rotation under load](rotation.md)."""


def main() -> int:
    """The program. Exit status 1 when something did not go as promised."""
    parser = argparse.ArgumentParser(prog="python -m tests.cluster.whole_flow", description=__doc__)
    parser.add_argument("--write", type=Path, metavar="FILE", help="also replace the section of this page")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, stage(connect(), Path(folder), around_s=AROUND_S) as made:
        found = flow(made, around_s=AROUND_S)
        sys.stdout.write("\n".join([found.section(), *found.broken]) + "\n")
        if given.write:
            page.put(given.write, "flow", found.section())
    return 1 if found.broken else 0


if __name__ == "__main__":
    sys.exit(main())
