"""API and worker as processes: a refresh reaches both, however it is asked for."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from helmbroker.broker.cli import main
from tests.api.broker.test_served import BOUND_S, Served
from tests.unit.catalog.folders import write
from tests.unit.catalog.sources.places import addon, packed

pytestmark = pytest.mark.processes
KUBECONFIG = """\
apiVersion: v1
kind: Config
current-context: none
contexts: [{name: none, context: {cluster: none, user: none}}]
clusters: [{name: none, cluster: {server: "https://127.0.0.1:1"}}]
users: [{name: none, user: {token: none}}]
"""


class Machine:
    """A broker that takes one addon from a folder, and one from an archive."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        write(folder / "addons/demo")
        self.offer("1.0.0")
        (folder / "sources.yaml").write_text("sources: [{name: far, kind: archive, location: far.tgz}]")
        (folder / "kubeconfig").write_text(KUBECONFIG)
        given = {
            "DATA_DIR": "data",
            "ADDONS_DIR": "addons",
            "SOURCES_FILE": "sources.yaml",
            "KUBECONFIG": "kubeconfig",
        }
        self.environment = {f"HELMBROKER_{name}": f"{folder}/{path}" for name, path in given.items()}
        self.environment["HELMBROKER_LISTEN"] = "127.0.0.1:0"
        for command in (["init"], ["admin", "add", "alice"]):
            done = CliRunner().invoke(main, command, env=self.environment)
            assert done.exit_code == 0, done.output
        self.token = done.stdout.strip()
        self.platform = (folder / "data/platform-credentials").read_text().strip()

    def offer(self, version: str) -> None:
        (self.folder / "far.tgz").write_bytes(packed(addon("far", version, "bbbbbbbb")))

    def worker(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "helmbroker.broker", "worker"],
            env={**os.environ, **self.environment},
            stderr=subprocess.DEVNULL,
        )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.fixture
def api(machine: Machine) -> Iterator[Served]:
    served = Served(machine.environment)
    yield served
    served.end(signal.SIGKILL)


def offered(api: Served, machine: Machine) -> dict[str, str]:
    """Names and versions in the catalog."""
    found = ask(
        api, "/v2/catalog", {"Authorization": f"Basic {basic(machine.platform)}", "X-Broker-API-Version": "2.17"}
    )
    return {each["name"]: each["plans"][0]["maintenance_info"]["version"] for each in found["services"]}


def basic(pair: str) -> str:
    return base64.b64encode(pair.encode()).decode()


def ask(api: Served, path: str, headers: Mapping[str, str], method: str = "GET") -> Any:
    request = urllib.request.Request(f"http://127.0.0.1:{api.port}{path}", headers=dict(headers), method=method)
    with urllib.request.urlopen(request, timeout=BOUND_S) as answer:  # noqa: S310  # of http alone
        return json.load(answer)


def until(api: Served, machine: Machine, wanted: dict[str, str]) -> None:
    """The catalog is asked for until it is that: an API looks every two seconds."""
    end = time.monotonic() + 60
    while (found := offered(api, machine)) != wanted:
        assert time.monotonic() < end, found


def test_a_refresh_reaches_every_process(machine: Machine, api: Served) -> None:
    assert offered(api, machine) == {"demo": "1.2.3"}, "an API alone reads folders"
    worker = machine.worker()
    try:
        until(api, machine, {"demo": "1.2.3", "far": "1.0.0"})
        machine.offer("1.1.0")
        admin = {"Authorization": f"Bearer {machine.token}"}
        assert ask(api, "/admin/catalog/refresh", admin, "POST")["kind"] == "refresh"
        until(api, machine, {"demo": "1.2.3", "far": "1.1.0"})
        machine.offer("1.2.0")
        os.kill(api.process.pid, signal.SIGHUP)
        until(api, machine, {"demo": "1.2.3", "far": "1.2.0"})
        machine.offer("1.3.0")
        worker.send_signal(signal.SIGHUP)
        until(api, machine, {"demo": "1.2.3", "far": "1.3.0"})
        sources = ask(api, "/admin/catalog", admin)["sources"]
        assert [(each["name"], each["status"]) for each in sources] == [("addons", "ready"), ("far", "ready")]
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(BOUND_S) == 0
    finally:
        worker.kill()
        worker.wait(BOUND_S)


@pytest.mark.bug(76)
def test_an_api_starts_with_the_last_good_catalog(machine: Machine, api: Served) -> None:
    """Whatever has become of the sources, and without a worker."""
    worker = machine.worker()
    try:
        until(api, machine, {"demo": "1.2.3", "far": "1.0.0"})
    finally:
        worker.kill()
        worker.wait(BOUND_S)
    (machine.folder / "far.tgz").unlink()
    restarted = Served(machine.environment)
    try:
        assert offered(restarted, machine) == {"demo": "1.2.3", "far": "1.0.0"}
    finally:
        restarted.end(signal.SIGKILL)
