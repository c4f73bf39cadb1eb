"""The platform side as operators run it: real processes beside a real broker, and calls to its API."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.cluster.broker import CHECKOUT, Broker, arguments, children, free_port, stop

START_S = 30.0
POLL_S = 0.1
GRACE_S = 2


@dataclass(frozen=True)
class Bridge:
    """A running bridge, and a user of every app."""

    url: str
    process: subprocess.Popen[bytes]
    token: str = field(repr=False)

    def ask(self, method: str, path: str, body: object = None) -> requests.Response:
        headers = {"Authorization": f"token {self.token}"}
        return requests.request(method, f"{self.url}/v2{path}", json=body, headers=headers, timeout=30)

    def expect(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        answer = self.ask(method, path, body)
        assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text}"
        return dict(answer.json()) if answer.content else {}

    @property
    def worker_pid(self) -> int:
        found = [pid for pid in children(self.process.pid) if "worker" in arguments(pid)]
        assert len(found) == 1, f"{len(found)} workers below {self.process.pid}"
        return found[0]

    def kill_worker(self) -> None:
        """As the kernel does when memory runs out; who supervises it starts another."""
        os.kill(self.worker_pid, signal.SIGKILL)


@dataclass(frozen=True)
class Resource:
    """A resource of an app."""

    bridge: Bridge
    app: str
    name: str

    @property
    def path(self) -> str:
        return f"/apps/{self.app}/resources/{self.name}/"

    def create(self, plan: str) -> None:
        self.bridge.expect("POST", f"/apps/{self.app}/resources/", {"name": self.name, "plan": plan})
        self.follow("status")

    def bind(self) -> None:
        self.bridge.expect("PATCH", f"{self.path}binding/", {"bind_action": "bind"})
        self.follow("binding")

    def rotate(self, *, force: bool = False) -> None:
        """Begin."""
        self.bridge.expect("POST", f"{self.path}rotate/", {"force": force})

    def look(self) -> dict[str, Any]:
        return self.bridge.expect("GET", self.path)

    def follow(
        self, field_: str, seen: Callable[[dict[str, Any]], None] = lambda _: None, within_s: float = 170.0
    ) -> dict[str, Any]:
        """Look until nothing goes on any more; how it is then."""
        deadline = time.monotonic() + within_s
        while True:
            shown = self.look()
            seen(shown)
            if not str(shown[field_]).endswith("ing"):
                return shown
            assert time.monotonic() < deadline, f"not within {within_s:g} s: {shown['message']}"
            time.sleep(POLL_S)


@contextmanager
def bridge(folder: Path, broker: Broker, environment: Mapping[str, str] | None = None) -> Iterator[Bridge]:
    """Start one beside `broker`; at its end no process is left."""
    port, data = free_port(), folder / "bridge"
    settings = {
        **{name: value for name, value in os.environ.items() if not name.startswith("HELMBROKER_")},
        "HELMBROKER_BRIDGE_DATA_DIR": str(data),
        "HELMBROKER_BRIDGE_BROKER_URL": broker.platform.url,
        "HELMBROKER_BRIDGE_BROKER_CREDENTIALS_FILE": str(broker.data_dir / "platform-credentials"),
        "HELMBROKER_BRIDGE_LISTEN": f"127.0.0.1:{port}",
        "HELMBROKER_BRIDGE_LEASE_S": "10",
        "HELMBROKER_BRIDGE_ROTATION_GRACE_S": str(GRACE_S),
        **(environment or {}),
    }
    command = [sys.executable, "-m", "helmbroker.controller_bridge"]
    subprocess.run([*command, "init"], env=settings, cwd=CHECKOUT, check=True, stdout=subprocess.DEVNULL)
    log = folder / "bridge.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            [*command, "run"], env=settings, cwd=CHECKOUT, stdout=output, stderr=output, process_group=0
        )
    try:
        made = Bridge(f"http://127.0.0.1:{port}", process, (data / "admin-token").read_text().strip())
        _await_start(made, log)
        yield made
    finally:
        stop(process)


def _await_start(made: Bridge, log: Path) -> None:
    deadline = time.monotonic() + START_S
    while made.process.poll() is None and time.monotonic() < deadline:
        try:
            if made.ask("GET", "/resources/services/").ok:
                return
        except requests.ConnectionError:
            time.sleep(0.05)
    pytest.fail(f"the bridge did not start: {log.read_text()[-2000:]}", pytrace=False)
