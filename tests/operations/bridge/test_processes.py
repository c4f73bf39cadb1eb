"""`helmbroker-bridge run` as real processes, beside a real HTTP broker: start, kill -9, secrets, stop."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.operations.bridge.osb_server import OsbServer
from tests.ports import free_port

pytestmark = pytest.mark.processes

BOUND_S = 90.0
CANARY = "canary-7f3a"
NO_CLUSTER = """
apiVersion: v1
kind: Config
current-context: none
clusters: [{name: none, cluster: {server: "http://127.0.0.1:9"}}]
users: [{name: none, user: {}}]
contexts: [{name: none, context: {cluster: none, user: none}}]
"""


class Bridge:
    """The processes of one data directory, and calls to their API. more: of their environment."""

    def __init__(self, folder: Path, broker_url: str, **more: str) -> None:
        self.listen, self.worker_listen = (f"127.0.0.1:{free_port()}" for _ in range(2))
        (folder / "login").write_text(f"user:{CANARY}")
        (folder / "kubeconfig").write_text(NO_CLUSTER)
        self.folder, self.log = folder, folder / "log"
        self.environment = {
            "PATH": os.environ["PATH"],
            "HELMBROKER_BRIDGE_DATA_DIR": str(folder / "data"),
            "HELMBROKER_BRIDGE_BROKER_URL": broker_url,
            "HELMBROKER_BRIDGE_BROKER_CREDENTIALS_FILE": str(folder / "login"),
            "HELMBROKER_BRIDGE_LISTEN": self.listen,
            "HELMBROKER_BRIDGE_WORKER_LISTEN": self.worker_listen,
            "HELMBROKER_BRIDGE_DRAIN_S": "0",
            "HELMBROKER_BRIDGE_KUBECONFIG": str(folder / "kubeconfig"),
            **more,
        }
        self.command("init")
        self.token = (folder / "data" / "admin-token").read_text().strip()
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start API and worker, and wait until the API answers."""
        self.begin("run")
        eventually(lambda: self.call("GET", "/v2/apps/shop/resources/") is not None)

    def begin(self, command: str) -> None:
        """Start a command that goes on until it is stopped."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self._argv(command), env=self.environment, stdout=log, stderr=log)

    def probe(self, listen: str, path: str) -> tuple[int, str]:
        """What a probe says there: status, and in words; 0 while nobody answers."""
        try:
            with urllib.request.urlopen(f"http://{listen}{path}", timeout=BOUND_S) as answer:
                return answer.status, json.loads(answer.read())["status"]
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())["status"]
        except OSError:
            return 0, ""

    def command(self, *words: str) -> str:
        """Run one command to its end; its standard output."""
        done = subprocess.run(
            self._argv(*words), env=self.environment, check=True, capture_output=True, text=True, timeout=BOUND_S
        )
        return done.stdout

    def call(self, method: str, path: str, body: object = None) -> Any:
        """The parsed answer, whatever its status; None while nobody answers."""
        request = urllib.request.Request(
            f"http://{self.listen}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"token {self.token}"},
        )
        try:
            with urllib.request.urlopen(request, timeout=BOUND_S) as answer:  # noqa: S310 - http, as above
                return json.loads(answer.read() or b"{}")
        except urllib.error.HTTPError as error:
            return json.loads(error.read())
        except OSError:
            return None

    def worker(self) -> int:
        """The pid of the worker, from the supervisor's log."""
        started = [json.loads(line) for line in self.log.read_text().splitlines() if "child started" in line]
        return int([line["pid"] for line in started if line["child"] == "worker"][-1])

    def stop(self) -> int:
        """Stop everything; the exit status."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=BOUND_S)

    def _argv(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "helmbroker.controller_bridge", *words]


def eventually(seen: Callable[[], object]) -> None:
    """Look until it is so: a process tells nobody when it has started, or is done."""
    end = time.monotonic() + BOUND_S
    while not seen():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


@pytest.fixture
def broker() -> Iterator[OsbServer]:
    server = OsbServer()
    yield server
    server.close()


@pytest.fixture
def bridge(tmp_path: Path, broker: OsbServer) -> Iterator[Bridge]:
    made = Bridge(tmp_path, broker.url)
    yield made
    if made.process is not None and made.process.poll() is None:
        made.stop()


def test_a_worker_killed_while_it_provisions(bridge: Bridge, broker: OsbServer) -> None:
    resources = "/v2/apps/shop/resources/"
    new = {"name": "my-db", "plan": "postgresql:small", "options": {"password": CANARY}}
    broker.credentials = {"uri": f"postgres://{CANARY}"}
    bridge.start()
    assert bridge.call("POST", resources, new)["status"] == "Provisioning"
    assert broker.polled.acquire(timeout=BOUND_S)
    told = "pods start (create, step 4 of 4: await)"
    eventually(lambda: bridge.call("GET", f"{resources}my-db/")["message"] == told)

    os.kill(bridge.worker(), signal.SIGKILL)
    # The lease of the dead worker is not waited for here: its database is told that it has ended.
    expire_leases(bridge)
    broker.finish.set()
    eventually(lambda: bridge.call("GET", f"{resources}my-db/")["status"] == "Ready")
    assert len(broker.puts) == 1
    assert len(broker.instances) == 1
    assert json.loads(broker.puts[0])["parameters"] == {"password": CANARY}

    bridge.call("PATCH", f"{resources}my-db/binding/", {"bind_action": "bind"})
    eventually(lambda: "trying again" in bridge.call("GET", f"{resources}my-db/")["message"])
    assert bridge.call("GET", f"{resources}my-db/")["binding"] == "Binding"
    assert "the Kubernetes API" in bridge.call("GET", f"{resources}my-db/")["message"]

    assert bridge.stop() == 0
    for file in (path for path in bridge.folder.rglob("*") if path.is_file() and path.name != "login"):
        assert CANARY.encode() not in file.read_bytes(), f"{file} holds a secret"
    assert bridge.token not in bridge.log.read_text()


def expire_leases(bridge: Bridge) -> None:
    """What 60 seconds would do."""
    with sqlite3.connect(bridge.folder / "data" / "bridge.db", timeout=BOUND_S) as connection:
        connection.execute("UPDATE operations SET lease_until = 0")
    connection.close()


def test_an_api_that_is_stopped_says_so_and_serves_on(bridge: Bridge) -> None:
    bridge.environment["HELMBROKER_BRIDGE_DRAIN_S"] = "60"
    bridge.begin("api")
    eventually(lambda: bridge.probe(bridge.listen, "/readyz") == (200, "ok"))
    assert bridge.process is not None
    bridge.process.send_signal(signal.SIGTERM)
    eventually(lambda: bridge.probe(bridge.listen, "/readyz")[0] == 503)
    assert "being stopped" in bridge.probe(bridge.listen, "/readyz")[1]
    assert bridge.probe(bridge.listen, "/healthz") == (200, "ok")
    new = {"name": "late", "plan": "postgresql:small"}
    assert bridge.call("POST", "/v2/apps/shop/resources/", new)["status"] == "Provisioning"
    bridge.process.send_signal(signal.SIGINT)
    assert bridge.process.wait(BOUND_S) == 0, "who is in a hurry does not wait for the rest of the time"


def test_a_worker_says_what_it_needs(bridge: Bridge, broker: OsbServer) -> None:
    bridge.begin("worker")
    eventually(lambda: bridge.probe(bridge.worker_listen, "/healthz") == (200, "ok"))
    status, told = bridge.probe(bridge.worker_listen, "/readyz")
    assert (status, told.partition(":")[0]) == (503, "the cluster cannot be used")
    assert bridge.stop() == 0


def test_init_is_idempotent_and_private(bridge: Bridge) -> None:
    data = bridge.folder / "data"
    before = {path.name: path.read_text() for path in data.iterdir()}
    assert "made " not in bridge.command("init")
    assert {name: (data / name).read_text() for name in before} == before
    assert data.stat().st_mode & 0o777 == 0o700
    assert all(path.stat().st_mode & 0o077 == 0 for path in data.iterdir())


def test_a_new_token_holds_at_once(bridge: Bridge) -> None:
    bridge.start()
    bridge.token = bridge.command("token", "add", "bob", "--app", "shop", "--role", "viewer").strip()
    assert bridge.call("GET", "/v2/apps/shop/resources/")["count"] == 0
    assert bridge.call("GET", "/v2/apps/blog/resources/")["detail"].startswith("You do not have permission")
    assert bridge.token not in (bridge.folder / "data" / "tokens.json").read_text()
