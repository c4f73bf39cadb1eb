"""One PostgreSQL for two apps under steady requests: each rotates alone, and one that goes leaves the other."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from helmbroker.kubeapi.port import Kube
from tests.cluster import busy_shop, live_shop
from tests.cluster.bridge import Bridge, Resource, bridge
from tests.cluster.broker import broker
from tests.cluster.busy_shop import Asked
from tests.cluster.reach import eventually, throw_away_namespace

pytestmark = [pytest.mark.cluster, pytest.mark.night, pytest.mark.timeout(900)]
NAME = "database"
# A row for each request, and nothing is tried twice: what happens to the credentials is seen.
SERVER = """
import http.server, os, queue, signal, threading
import psycopg2
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
URI, idle, slots = os.environ.get("DATABASE_URI", ""), queue.LifoQueue(), threading.BoundedSemaphore(4)
def run(statement, *values):
    with slots:
        connection = psycopg2.connect(URI, connect_timeout=20) if idle.empty() else idle.get()
        with connection, connection.cursor() as cursor:
            cursor.execute(statement, values)
        idle.put(connection)
class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self, *work):
        try:
            if URI:
                run(*work)
            status, body = 200, "ok" if URI else "no database"
        except Exception as error:
            status, body = 500, f"{type(error).__name__}: {error}"
        self.send_response(status)
        self.send_header("Content-Length", str(len(body.encode())))
        self.end_headers()
        self.wfile.write(body.encode())
    def do_GET(self):
        self.answer("select 1")
    def do_POST(self):
        self.answer("insert into writes values (%s)", self.path[1:])
    def log_message(self, *_):
        pass
if URI:
    run("create table if not exists writes (id text)")
class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128
Server(("", 8080), Handler).serve_forever()
"""
LOGIN = "import sys, psycopg2; psycopg2.connect(sys.stdin.read(), connect_timeout=20)"


@dataclass(frozen=True)
class App:
    """An app with its resource, and a customer who asks it 50 times a second."""

    kube: Kube
    namespace: str
    database: Resource

    @property
    def uri(self) -> str:
        """What it connects to."""
        return str(self.database.look()["data"]["DATABASE_URI"])

    def begin(self) -> None:
        """The customer begins to ask."""
        self.kube.create(busy_shop.customer(self.namespace))
        eventually(lambda: self.asked().sent > 50 or None, within_s=60)

    def rotate(self) -> str:
        """The new URI, after it was rotated well."""
        self.database.rotate()
        self.ends_well("binding")
        return self.uri

    def ends_well(self, field: str) -> None:
        """What goes on does."""
        shown = self.database.follow(field)
        assert (shown[field], shown["failed"]) in {("Ready", False), (None, False)}, shown["message"]

    def destroy(self) -> None:
        """Until nothing is left."""
        bridge_, path = self.database.bridge, self.database.path
        bridge_.expect("DELETE", path)
        eventually(lambda: bridge_.ask("GET", path).status_code == 404 or None, within_s=60)

    def asked(self) -> Asked:
        """What the customer's requests have come to."""
        return Asked.of(kubectl("logs", "-n", self.namespace, "customer", check=False))

    def end(self) -> Asked:
        """The customer stops."""
        kubectl("exec", "-n", self.namespace, "customer", "--", "sh", "-c", "kill 1", check=False)  # may go with it
        return eventually(lambda: found if (found := self.asked()).ended else None, within_s=60)

    def login(self, uri: str) -> str:
        """What the server says to somebody with these credentials, from a pod of the app; empty: welcome."""
        argv = ["kubectl", "exec", "-i", "-n", self.namespace, "deployment/shop-web", "--", "python3", "-c", LOGIN]
        done = subprocess.run(argv, input=uri, text=True, capture_output=True, timeout=60, check=False)
        return done.stderr if done.returncode else ""


def kubectl(*arguments: str, check: bool = True) -> str:
    done = subprocess.run(["kubectl", *arguments], text=True, capture_output=True, timeout=60, check=check)
    return done.stdout


@contextmanager
def opened(kube: Kube, made: Bridge) -> Iterator[App]:
    with throw_away_namespace(kube) as namespace:
        web = live_shop.web(namespace, SERVER, resources={"requests": {"cpu": "20m", "memory": "48Mi"}})
        web["spec"]["replicas"] = 1
        kube.create(web)
        kube.create(live_shop.service(namespace))
        yield App(kube, namespace, Resource(made, namespace, NAME))


def test_each_app_rotates_alone_and_leaves_alone(kube: Kube, tmp_path: Path) -> None:
    with (
        broker(kube, tmp_path) as its_broker,
        bridge(tmp_path, its_broker) as made,
        opened(kube, made) as owner,
        opened(kube, made) as other,
    ):
        owner.database.create("postgresql:small")
        owner.ends_well("status")
        made.expect(
            "POST", f"/apps/{other.namespace}/resources/", {"name": NAME, "from": f"{owner.namespace}/{NAME}"}
        )
        for app in (owner, other):
            made.expect("PATCH", f"{app.database.path}binding/", {"bind_action": "bind"})
        for app in (owner, other):
            app.ends_well("binding")
            app.begin()

        first, second = owner.uri, other.uri
        third = owner.rotate()
        assert len({first, second, third}) == 3
        assert "password authentication failed" in other.login(first)
        assert (other.uri, other.login(second)) == (second, "")

        asked = owner.end()
        assert (asked.errors, asked.sent > 200) == ([], True)
        made.expect("PATCH", f"{owner.database.path}binding/", {"bind_action": "unbind"})
        fourth = other.rotate()
        owner.ends_well("binding")
        assert [("password authentication failed" in other.login(uri)) for uri in (second, third)] == [True, True]
        assert f"shared with {other.namespace}/{NAME}" in made.ask("DELETE", owner.database.path).text

        asked = other.end()
        assert (asked.errors, asked.sent > 400) == ([], True)
        made.expect("PATCH", f"{other.database.path}binding/", {"bind_action": "unbind"})
        other.ends_well("binding")
        assert "password authentication failed" in owner.login(fourth)
        for app in (other, owner):
            app.destroy()
