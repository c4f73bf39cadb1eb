"""The platform side as operators run it: real processes beside a real broker, and calls to its API."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.cluster.broker import CHECKOUT, Broker, arguments, children, descendants, stop
from tests.cluster.osb import END_S
from tests.ports import free_port

START_S = 90.0  # of a machine that is busy with other tests
POLL_S = 0.1
GRACE_S = 2
_TRY_AGAIN = 503
_STEP = re.compile(r"\(\w+, step \d+ of \d+(?: of the way back)?: ([^;)]+)")
_GOES_ON = re.compile("ing(Instance)?$")  # Provisioning, Binding, Rotating, UpdatingInstance
COMMAND = (sys.executable, "-m", "helmbroker.controller_bridge")


@dataclass
class BridgeApi:
    """Where a bridge is asked, wherever it runs, and a user of the apps."""

    url: str
    token: str = field(repr=False)

    def ask(self, method: str, path: str, body: object = None) -> requests.Response:
        headers = {"Authorization": f"token {self.token}"}
        return requests.request(method, f"{self.url}/v2{path}", json=body, headers=headers, timeout=60)

    def expect(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        answer = self.ask(method, path, body)
        assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text}"
        return dict(answer.json()) if answer.content else {}


@dataclass
class Bridge(BridgeApi):
    """A bridge of processes of this machine, and a user of every app."""

    settings: Mapping[str, str] = field(repr=False)
    log: Path
    process: subprocess.Popen[bytes] = field(init=False)

    def start(self) -> None:
        """Begin to run it, and wait until it serves."""
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                [*COMMAND, "run"], env=self.settings, cwd=CHECKOUT, stdout=output, stderr=output, process_group=0
            )
        deadline = time.monotonic() + START_S
        while self.process.poll() is None and time.monotonic() < deadline:
            try:
                if self.ask("GET", "/resources/services/").ok:
                    return
            except requests.ConnectionError:
                time.sleep(0.05)
        pytest.fail(f"the bridge did not start: {self.log.read_text()[-2000:]}", pytrace=False)

    @property
    def worker_pid(self) -> int:
        found = [pid for pid in children(self.process.pid) if "worker" in arguments(pid)]
        assert len(found) == 1, f"{len(found)} workers below {self.process.pid}"
        return found[0]

    def kill_worker(self) -> None:
        """As the kernel does when memory runs out; who supervises it starts another."""
        os.kill(self.worker_pid, signal.SIGKILL)

    def kill(self) -> None:
        """Supervisor, API and worker at once, as when their machine loses power; and then start them again."""
        for pid in (self.process.pid, *descendants(self.process.pid)):
            with suppress(ProcessLookupError):  # it has died with its supervisor
                os.kill(pid, signal.SIGKILL)
        self.process.wait()
        self.start()


@dataclass(frozen=True)
class Resource:
    """A resource of an app. What is done with it only begins: `follow` waits for the end."""

    bridge: BridgeApi
    app: str
    name: str

    @property
    def path(self) -> str:
        return f"/apps/{self.app}/resources/{self.name}/"

    def create(self, plan: str, options: Mapping[str, str] | None = None) -> None:
        body = {"name": self.name, "plan": plan, "options": options or {}}
        self.bridge.expect("POST", f"/apps/{self.app}/resources/", body)

    def update(self, plan: str, options: Mapping[str, str]) -> None:
        self.bridge.expect("PUT", self.path, {"plan": plan, "options": options})

    def bind(self) -> None:
        self.bridge.expect("PATCH", f"{self.path}binding/", {"bind_action": "bind"})

    def rotate(self, *, force: bool = False) -> None:
        self.bridge.expect("POST", f"{self.path}rotate/", {"force": force})

    def unbind(self) -> None:
        self.bridge.expect("PATCH", f"{self.path}binding/", {"bind_action": "unbind"})

    def destroy(self) -> None:
        self.bridge.expect("DELETE", self.path)

    def look(self) -> dict[str, Any]:
        return self.bridge.expect("GET", self.path)

    def follow(
        self,
        field_: str,
        seen: Callable[[dict[str, Any]], None] = lambda _: None,
        within_s: float = END_S,
        *,
        outage: bool = False,
    ) -> dict[str, Any]:
        """Look until nothing goes on any more; how it is then. `outage`: one is played, so 503 is no failure."""
        deadline = time.monotonic() + within_s
        while True:
            answer = self.bridge.ask("GET", self.path)
            if not (outage and answer.status_code == _TRY_AGAIN):
                assert answer.ok, f"GET {self.path}: {answer.status_code} {answer.text}"
                seen(answer.json())
                if not _GOES_ON.search(str(answer.json()[field_])):
                    return dict(answer.json())
            assert time.monotonic() < deadline, f"not within {within_s:g} s: {answer.text}"
            time.sleep(POLL_S)


@dataclass
class Watched:
    """An operation that has begun, as its user sees it: where its time goes."""

    began: float = field(default_factory=time.time)  # epoch seconds
    took_s: float = 0.0
    phases_s: dict[str, float] = field(default_factory=dict)  # step -> seconds that it was seen at

    @property
    def ended(self) -> float:
        """Epoch seconds."""
        return self.began + self.took_s

    def see(self, shown: dict[str, Any]) -> None:
        """A look at the resource; what has passed since the one before was spent at its step."""
        now, step = time.time(), _STEP.search(str(shown["message"]))
        if step:
            self.phases_s[step[1]] = self.phases_s.get(step[1], 0.0) + now - self.ended
        self.took_s = now - self.began


@contextmanager
def bridge(
    folder: Path, broker: Broker, *, environment: Mapping[str, str] | None = None, token: str | None = None
) -> Iterator[Bridge]:
    """Start one beside `broker`; at its end no process is left. token: of a user, where the platform has them."""
    given = {
        "BROKER_URL": broker.platform.url,
        "BROKER_CREDENTIALS_FILE": str(broker.data_dir / "platform-credentials"),
        "LEASE_S": "10",
        "ROTATION_GRACE_S": str(GRACE_S),
    }
    settings = {f"HELMBROKER_BRIDGE_{name}": value for name, value in given.items()}
    with running(folder, {**settings, **(environment or {})}, token) as made:
        yield made


@contextmanager
def running(folder: Path, settings: Mapping[str, str], token: str | None = None) -> Iterator[Bridge]:
    """Start one with these settings; at its end no process is left. `token`: of a user; by default its own."""
    data, listen = folder / "bridge", f"127.0.0.1:{free_port()}"
    whole = {
        **{name: value for name, value in os.environ.items() if not name.startswith("HELMBROKER_")},
        "HELMBROKER_BRIDGE_DATA_DIR": str(data),
        "HELMBROKER_BRIDGE_LISTEN": listen,
        **settings,
    }
    subprocess.run([*COMMAND, "init"], env=whole, cwd=CHECKOUT, check=True, stdout=subprocess.DEVNULL)
    url = f"http://{whole['HELMBROKER_BRIDGE_LISTEN']}"
    made = Bridge(url, token or (data / "admin-token").read_text().strip(), whole, folder / "bridge.log")
    try:
        made.start()
        yield made
    finally:
        stop(made.process)
