"""The busy shop with broker and bridge, and rotations of its credentials as their user sees them."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from helmbroker.kubeapi.port import Kube
from tests.cluster import busy_shop
from tests.cluster.bridge import Bridge, BridgeApi, Resource, Watched, bridge
from tests.cluster.broker import Broker, broker
from tests.cluster.busy_shop import Asked
from tests.cluster.killing import kill_worker
from tests.cluster.reach import eventually, pause, throw_away_namespace

DATABASE, CACHE = "database", "cache"
REFUSED = re.compile("password authentication failed|invalid username-password pair")
_LOGIN = """
import sys, psycopg2, redis
uri = sys.stdin.read()
if uri.startswith("redis"):
    redis.Redis.from_url(uri, socket_timeout=20, socket_connect_timeout=20).ping()
else:
    psycopg2.connect(uri, connect_timeout=20)
"""


@dataclass(kw_only=True)
class Rotation(Watched):
    """One rotation, and what the server says afterwards."""

    resource: str
    failed: bool = False
    message: str = ""
    said_to_old: str = ""  # to the credentials of before; empty: welcome
    said_to_new: str = ""  # to those that the app has now

    @property
    def replaced(self) -> bool:
        """The app has credentials that work, and those of before are refused."""
        return not self.failed and bool(REFUSED.search(self.said_to_old)) and not self.said_to_new


@dataclass
class Shop:
    """An app with a database and a cache, the door of the bridge that looks after it, and a customer."""

    kube: Kube
    namespace: str
    bridge: BridgeApi
    database: Resource
    cache: Resource

    def uri(self, resource: Resource) -> str:
        """What the app connects to."""
        return str(resource.look()["data"][f"{resource.name.upper()}_URI"])

    def rotate(self, resource: Resource, *, at: str = "", disturb: Callable[[], None] = lambda: None) -> Rotation:
        """One rotation, disturbed once, `at` a step; and what the server then says to old and new credentials."""
        made, old, left = Rotation(resource=resource.name), self.uri(resource), [at] if at else []
        resource.rotate()

        def seen(shown: dict[str, Any]) -> None:
            made.see(shown)
            if left and left[0] in made.phases_s:
                left.clear()
                disturb()

        end = resource.follow("binding", seen)
        assert not left, f"it was never seen at {at}: {made.phases_s}"
        made.failed, made.message = bool(end["failed"]), str(end["message"])
        made.said_to_old, made.said_to_new = self.login(old), self.login(self.uri(resource))
        return made

    def rotate_in_vain(self) -> Rotation:
        """The app's owner deploys it anew, so that it starts with no other database user; then one rotation."""
        user = urlsplit(self.uri(self.database)).username
        for arguments in (
            ["set", "env", "deployment/shop-web", f"ONLY_AS={user}"],
            ["rollout", "status", "deployment/shop-web"],
        ):
            self._kubectl(*arguments)
        return self.rotate(self.database)

    def login(self, uri: str) -> str:
        """What the server says to somebody with these credentials, from a pod; empty: welcome."""
        argv = ["kubectl", "exec", "-i", "-n", self.namespace, "customer", "--", "python3", "-c", _LOGIN]
        done = subprocess.run(argv, input=uri, text=True, capture_output=True, timeout=120, check=False)
        return done.stderr.strip() if done.returncode else ""

    def asked(self) -> Asked:
        """What the requests have come to so far."""
        return Asked.of(self._kubectl("logs", "customer"))

    def end(self) -> Asked:
        """Everything that was sent is answered."""
        self._kubectl("exec", "customer", "--", "sh", "-c", "kill 1", check=False)  # the shell may go with the pod

        def ended() -> Asked | None:
            found = self.asked()
            return found if found.ended else None

        return eventually(ended, within_s=120)

    def written(self) -> tuple[int, int, int, int]:
        """Rows, different ones among them, entries, different ones among them: as a pod of the app counts them."""
        ask = "import urllib.request as r; print(r.urlopen('http://shop-web:8080/count').read().decode())"
        said = self._kubectl("exec", "deployment/shop-web", "--", "python3", "-c", ask)
        rows, different_rows, entries, different_entries = ast.literal_eval(said.strip())
        return rows, different_rows, entries, different_entries

    def _kubectl(self, *arguments: str, check: bool = True) -> str:
        argv = ["kubectl", "-n", self.namespace, *arguments]
        return subprocess.run(argv, text=True, capture_output=True, timeout=120, check=check).stdout


@dataclass
class Scene(Shop):
    """The shop with broker and bridge as processes of this machine."""

    bridge: Bridge
    broker: Broker

    def kill_broker_worker(self) -> None:
        """While Helm makes a user for the app."""
        kill_worker(self.broker, "upgrade", "--install")


def furnish(shop: Shop, *, before_s: float, bound: Sequence[str] = (DATABASE, CACHE)) -> None:
    """Open it, with its resources; returns when the customer has asked for `before_s` seconds."""
    busy_shop.open_shop(shop.kube, shop.namespace)
    shop.database.create("postgresql:small")
    shop.cache.create("redis:small")
    for resource in (shop.database, shop.cache):
        resource.follow("status")
        if resource.name in bound:
            resource.bind()
            resource.follow("binding")
    shop.kube.create(busy_shop.customer(shop.namespace))

    def asks() -> bool | None:
        pod = shop.kube.get("Pod", shop.namespace, "customer") or {}
        return True if pod.get("status", {}).get("phase") == "Running" and shop.asked().sent else None

    eventually(asks, within_s=120)
    pause(before_s)


@contextmanager
def scene(
    kube: Kube,
    folder: Path,
    *,
    before_s: float,
    bound: Sequence[str] = (DATABASE, CACHE),
    environment: Mapping[str, str] | None = None,
) -> Iterator[Scene]:
    """All of it runs, and the customer has asked for `before_s` seconds. environment: more of the broker's."""
    with (
        broker(kube, folder, environment=environment) as its_broker,
        bridge(folder, its_broker) as its_bridge,
        throw_away_namespace(kube) as app,
    ):
        database, cache = (Resource(its_bridge, app, name) for name in (DATABASE, CACHE))
        made = Scene(kube, app, its_bridge, database, cache, its_broker)
        furnish(made, before_s=before_s, bound=bound)
        yield made
