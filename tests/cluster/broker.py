"""A broker as operators run it: real processes, a data directory and a namespace of its own."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from helmbroker.broker.domain import naming
from helmbroker.broker.domain.naming import ReleaseRef
from helmbroker.kubeapi.port import Kube
from tests.cluster.osb import Platform
from tests.cluster.reach import throw_away_namespace
from tests.ports import free_port

CHECKOUT = Path(__file__).parents[2]
# what the operator of this cluster says to the chart; of it, what concerns addons: the images that its nodes have
VALUES: dict[str, Any] = yaml.safe_load((CHECKOUT / "sandbox" / "values.yaml").read_text())
OVERRIDES: dict[str, Any] = VALUES["addons"]["overrides"]
START_S = 90.0  # of a machine that is busy with other tests
STOP_S = 45.0


@dataclass(frozen=True)
class Broker:
    """A running broker."""

    platform: Platform
    process: subprocess.Popen[bytes]
    data_dir: Path
    log: Path
    namespace: str

    def release(self, instance_id: str) -> ReleaseRef:
        """The Helm release of an instance."""
        with closing(sqlite3.connect(self.data_dir / "helmbroker.db")) as database:
            (broker_id,) = database.execute("SELECT value FROM facts WHERE name = 'broker_id'").fetchone()
        return naming.instance_release(self.namespace, broker_id, instance_id)

    @property
    def worker_pid(self) -> int:
        """The worker process, of which there is one, whoever started it last."""
        found = [pid for pid in children(self.process.pid) if "worker" in arguments(pid)]
        assert len(found) == 1, f"{len(found)} workers below {self.process.pid}"
        return found[0]


def children(pid: int) -> list[int]:
    """Processes that a process has started and not yet collected."""
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        return [int(child) for task in tasks for child in (task / "children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def descendants(pid: int) -> list[int]:
    return [each for child in children(pid) for each in (child, *descendants(child))]


def arguments(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except (FileNotFoundError, ProcessLookupError):
        return []


@contextmanager
def broker(
    kube: Kube,
    folder: Path,
    *,
    overrides: Mapping[str, object] = OVERRIDES,
    environment: Mapping[str, str] | None = None,
    prefix: tuple[str, ...] = (),
    namespace: str | None = None,
) -> Iterator[Broker]:
    """Start one; at its end no process and no namespace is left. `prefix`: a command to run it under.

    namespace: of its instances, when it is the test's own.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "overrides.yaml").write_text(yaml.safe_dump(dict(overrides)))
    with throw_away_namespace(kube) if namespace is None else nullcontext(namespace) as namespace:
        port = free_port()
        settings = _settings(folder, namespace, port) | dict(environment or {})
        command = [sys.executable, "-m", "helmbroker.broker"]
        subprocess.run([*command, "init"], env=settings, cwd=CHECKOUT, check=True, stdout=subprocess.DEVNULL)
        user, _, password = (folder / "data" / "platform-credentials").read_text().strip().partition(":")
        log = folder / "log"
        with log.open("ab") as output:
            process = subprocess.Popen(
                [*prefix, *command, "run"],
                env=settings,
                cwd=CHECKOUT,
                stdout=output,
                stderr=output,
                process_group=0,
            )
        try:
            platform = Platform(f"http://127.0.0.1:{port}", user, password)
            _await_start(platform, process, log)
            yield Broker(platform, process, folder / "data", log, namespace)
        finally:
            stop(process)


def _settings(folder: Path, namespace: str, port: int) -> dict[str, str]:
    """The variables of its processes."""
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("HELMBROKER_")},
        "HELMBROKER_DATA_DIR": str(folder / "data"),
        "HELMBROKER_ADDONS_DIR": str(CHECKOUT / "addons"),
        "HELMBROKER_OVERRIDES_FILE": str(folder / "overrides.yaml"),
        "HELMBROKER_INSTANCE_NAMESPACE": namespace,
        "HELMBROKER_LISTEN": f"127.0.0.1:{port}",
        "HELMBROKER_STUCK_AFTER_S": "4",
        "HELMBROKER_LEASE_S": "5",
        "HELMBROKER_LOG_LEVEL": "debug",
    }


def _await_start(platform: Platform, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_S
    while process.poll() is None and time.monotonic() < deadline:
        try:
            if platform.ask("GET", "/v2/catalog").status_code == 200:
                return
        except requests.ConnectionError:
            time.sleep(0.05)
    pytest.fail(f"the broker did not start: {log.read_text()[-2000:]}", pytrace=False)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a program of the product that supervises others; all of them have to go.

    One that a test has already ended stays so: its number may be another process's by now.
    """
    if process.poll() is not None:
        return
    below = {pid: arguments(pid) for pid in descendants(process.pid)}
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        pytest.fail("it did not stop when it was asked to", pytrace=False)
    assert not (left := still_running(below)), f"processes are left: {left}"


def still_running(processes: Mapping[int, list[str]]) -> list[list[str]]:
    """The arguments of those that go on, by their pids and arguments of before: another may have a pid by now."""
    return [before for pid, before in processes.items() if any(before) and arguments(pid) == before]
