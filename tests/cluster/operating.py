"""What an operator does with a broker under test: commands, and new processes for the old ones."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.cluster import broker
from tests.cluster.broker import CHECKOUT, START_S, STOP_S, Broker
from tests.cluster.reach import eventually

COMMAND = [sys.executable, "-m", "helmbroker.broker"]


@dataclass(frozen=True)
class Said:
    """How a command of the operator ended."""

    status: int
    output: str
    errors: str

    @property
    def findings(self) -> list[tuple[str, str]]:
        found = [json.loads(line) for line in self.output.splitlines() if line.startswith("{")]
        return sorted((each["kind"], each["subject"]) for each in found)


def environment(running: Broker, **changed: str) -> dict[str, str]:
    """Of its processes; `changed`: settings, without HELMBROKER_."""
    given = {name: value for name, value in os.environ.items() if not name.startswith("HELMBROKER_")}
    given |= {
        "HELMBROKER_DATA_DIR": str(running.data_dir),
        "HELMBROKER_ADDONS_DIR": str(CHECKOUT / "addons"),
        "HELMBROKER_OVERRIDES_FILE": str(running.data_dir.parent / "overrides.yaml"),
        "HELMBROKER_INSTANCE_NAMESPACE": running.namespace,
        "HELMBROKER_LISTEN": running.platform.url.removeprefix("http://"),
        "HELMBROKER_LEASE_S": "5",
    }
    return given | {f"HELMBROKER_{name}": value for name, value in changed.items()}


def operate(running: Broker, *arguments: str, **changed: str) -> Said:
    """Run a command of the operator to its end."""
    argv = [*COMMAND, *arguments]
    done = subprocess.run(
        argv,
        env=environment(running, **changed),
        cwd=CHECKOUT,
        check=False,
        capture_output=True,
        text=True,
        timeout=600,
    )
    return Said(done.returncode, done.stdout, done.stderr)


def shell(*argv: str) -> None:
    """What an operator types beside helmbroker."""
    subprocess.run(argv, check=True, capture_output=True, timeout=300)


def stop(running: Broker) -> None:
    """End its first processes."""
    broker.stop(running.process)


@contextmanager
def started_again(running: Broker, **changed: str) -> Iterator[None]:
    """The same broker, in new processes."""
    with (running.data_dir.parent / "log-again").open("ab") as log:
        process = subprocess.Popen(
            [*COMMAND, "run"],
            env=environment(running, **changed),
            cwd=CHECKOUT,
            stdout=log,
            stderr=log,
            process_group=0,
        )
    try:
        eventually(lambda: _serves(running), within_s=START_S)
        yield
    finally:
        process.terminate()
        process.wait(STOP_S)


def _serves(running: Broker) -> bool | None:
    """Its API, and a worker."""
    try:
        if running.platform.ask("GET", "/v2/catalog").status_code != 200:
            return None
        return str(running.platform.ask("GET", "/readyz").json().get("workers", "")).isdigit() or None
    except OSError:
        return None
