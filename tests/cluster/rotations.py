"""Rotations of an app's PostgreSQL under steady requests that write; also a program that makes the report of them.

`python -m tests.cluster.rotations --times 20 --write docs/reference/rotation.md`
"""

from __future__ import annotations

import argparse
import ast
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from helmbroker.kubeapi.port import Kube
from tests.cluster import busy_shop
from tests.cluster.bridge import GRACE_S, Resource, bridge
from tests.cluster.broker import broker
from tests.cluster.busy_shop import PER_SECOND, Asked
from tests.cluster.reach import connect, eventually, pause, throw_away_namespace

NAME = "database"
BEFORE_S, AFTER_S = 5.0, 3.0
_STEP = re.compile(r"\(rotate, step \d+ of \d+(?: of the way back)?: ([^;)]+)")
_LOGIN = "import sys, psycopg2; psycopg2.connect(sys.stdin.read(), connect_timeout=5)"


@dataclass
class Rotation:
    """One rotation, as its user sees it."""

    began: float  # epoch seconds
    phases_s: dict[str, float] = field(default_factory=dict)  # step -> seconds that it was seen at
    took_s: float = 0.0
    failed: bool = False
    message: str = ""

    def see(self, shown: dict[str, Any]) -> None:
        """A look at the resource; what has passed since the one before was spent at its step."""
        now, step = time.time(), _STEP.search(str(shown["message"]))
        if step:
            self.phases_s[step[1]] = self.phases_s.get(step[1], 0.0) + now - self.began - self.took_s
        self.took_s = now - self.began


@dataclass
class Scene:
    """Broker, bridge, an app with a database, and a customer."""

    kube: Kube
    namespace: str
    database: Resource

    @property
    def uri(self) -> str:
        """What the app connects to."""
        return str(self.database.look()["data"]["DATABASE_URI"])

    def rotate(self, *, kill_at: str = "") -> Rotation:
        """One rotation; kill_at: at that step the bridge's worker dies, once."""
        made, left = Rotation(time.time()), [kill_at] if kill_at else []
        self.database.rotate()

        def seen(shown: dict[str, Any]) -> None:
            made.see(shown)
            if left and left[0] in made.phases_s:
                left.clear()
                self.database.bridge.kill_worker()

        end = self.database.follow("binding", seen)
        assert not left, f"it was never seen at {kill_at}: {made.phases_s}"
        made.failed, made.message = bool(end["failed"]), str(end["message"])
        return made

    def login(self, uri: str) -> str:
        """What the server says to somebody with these credentials, from a pod; empty: welcome."""
        argv = ["kubectl", "exec", "-i", "-n", self.namespace, "customer", "--", "python3", "-c", _LOGIN]
        done = subprocess.run(argv, input=uri, text=True, capture_output=True, timeout=60, check=False)
        return done.stderr.strip() if done.returncode else ""

    def asked(self) -> Asked:
        """What the requests have come to so far."""
        log = subprocess.run(
            ["kubectl", "logs", "-n", self.namespace, "customer"],
            text=True,
            capture_output=True,
            timeout=60,
            check=True,
        )
        return Asked.of(log.stdout)

    def end(self) -> Asked:
        """Everything that was sent is answered."""
        argv = ["kubectl", "exec", "-n", self.namespace, "customer", "--", "sh", "-c", "kill 1"]
        subprocess.run(argv, capture_output=True, timeout=60, check=True)

        def ended() -> Asked | None:
            found = self.asked()
            return found if found.ended else None

        return eventually(ended, within_s=60)

    def written(self) -> tuple[int, int]:
        """Rows, and different ones among them, as a new pod of the app counts them."""
        ask = "import urllib.request as r; print(r.urlopen('http://shop-web:8080/count').read().decode())"
        argv = ["kubectl", "exec", "-n", self.namespace, "deployment/shop-web", "--", "python3", "-c", ask]
        done = subprocess.run(argv, text=True, capture_output=True, timeout=60, check=True)
        rows, different = ast.literal_eval(done.stdout.strip())
        return int(rows), int(different)

    def accept_only(self, text: str) -> None:
        """The app's owner deploys it anew: it starts only with this text in its credentials. Empty: with any."""
        setting = f"ONLY_AS={text}" if text else "ONLY_AS-"
        for arguments in (
            ["set", "env", "deployment/shop-web", setting],
            ["rollout", "status", "deployment/shop-web"],
        ):
            subprocess.run(
                ["kubectl", "-n", self.namespace, *arguments], capture_output=True, timeout=120, check=True
            )


@contextmanager
def scene(kube: Kube, folder: Path) -> Iterator[Scene]:
    """All of it runs, and the customer has asked for some seconds."""
    with (
        broker(kube, folder) as its_broker,
        bridge(folder, its_broker) as its_bridge,
        throw_away_namespace(kube) as app,
    ):
        busy_shop.open_shop(kube, app)
        database = Resource(its_bridge, app, NAME)
        database.create("postgresql:small")
        database.bind()
        made = Scene(kube, app, database)
        kube.create(busy_shop.customer(app))

        def asks() -> bool | None:
            pod = kube.get("Pod", app, "customer") or {}
            return True if pod.get("status", {}).get("phase") == "Running" and made.asked().sent else None

        eventually(asks, within_s=60)
        pause(BEFORE_S)
        try:
            yield made
        finally:
            its_bridge.ask("PATCH", f"{database.path}binding/", {"bind_action": "unbind"})
            database.follow("binding")
            its_bridge.ask("DELETE", database.path)


def repeated(made: Scene, times: int) -> tuple[list[Rotation], list[str]]:
    """So many in a row, and what the server says to each password that was replaced."""
    rotations, said = [], []
    for _ in range(times):
        old = made.uri
        rotations.append(made.rotate())
        said.append(made.login(old))
    return rotations, said


def page(rotations: list[Rotation], said: list[str], asked: Asked, written: tuple[int, int]) -> str:
    """The report."""
    first, last = rotations[0].began, rotations[-1].began + rotations[-1].took_s
    refused = sum("password authentication failed" in each for each in said)
    rows = {
        "rotations in a row": len(rotations),
        "requests, each of which writes a row": f"{asked.sent}, {PER_SECOND}/s",
        "**failed requests**": len(asked.errors),
        "**lost writes; doubled writes**": f"{asked.sent - written[1]}; {written[0] - written[1]}",
        "old passwords that the server refused afterwards": f"{refused} of {len(said)}",
        "99 of 100 answers took at most, before; during; after": "; ".join(
            f"{asked.p99_ms(*between):.0f} ms" for between in ((0.0, first), (first, last), (last, float("inf")))
        ),
        "a rotation took (mean)": f"{_mean([each.took_s for each in rotations]):.1f} s",
    }
    phases = {name: _mean([each.phases_s.get(name, 0.0) for each in rotations]) for name in rotations[0].phases_s}
    table = [f"| {name} | {value} |" for name, value in rows.items()]
    table += [
        "",
        "| step | seconds (mean) |",
        "|---|---|",
        *(f"| {name} | {s:.1f} |" for name, s in phases.items()),
    ]
    return _PAGE + "\n".join(table) + "\n"


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


_PAGE = f"""# Rotation under load: what was measured

Made by `python -m tests.cluster.rotations --write docs/reference/rotation.md` on a cluster. An app of two process
types, three pods, answers each request with an INSERT through a pool of connections, and tries nothing twice. A
customer asks it {PER_SECOND} times a second, each time on a new connection, while its credentials are rotated
again and again. The pause for open connections is {GRACE_S} s here. A shorter run, with a rollout that fails and
a worker killed with -9, is part of `make test`.

| | |
|---|---|
"""


def main() -> int:
    """The program."""
    parser = argparse.ArgumentParser(prog="python -m tests.cluster.rotations", description=__doc__)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--write", type=Path, help="the page to write")
    given = parser.parse_args()
    kube = connect()
    with tempfile.TemporaryDirectory() as folder, scene(kube, Path(folder)) as made:
        rotations, said = repeated(made, given.times)
        pause(AFTER_S)
        asked = made.end()
        text = page(rotations, said, asked, made.written())
        broken = [each.message for each in rotations if each.failed] + asked.errors
    sys.stdout.write("\n".join([text, *broken]))
    if given.write:
        given.write.write_text(text)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
