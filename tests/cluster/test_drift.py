"""What others do to the cluster is found and mended; what was lost with the database comes back."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from helmbroker.broker.domain import naming
from helmbroker.kubeapi.port import Kube
from tests.cluster.addons import ADDONS, PROBE_CHART, image_of, step
from tests.cluster.broker import CHECKOUT, OVERRIDES, START_S, STOP_S, Broker, broker
from tests.cluster.clients import Client
from tests.cluster.inventory import await_nothing, objects
from tests.cluster.osb import Binding, Instance
from tests.cluster.reach import eventually, throw_away_namespace

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(400)]
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


def environment(running: Broker) -> dict[str, str]:
    given = {name: value for name, value in os.environ.items() if not name.startswith("HELMBROKER_")}
    given |= {
        "HELMBROKER_DATA_DIR": str(running.data_dir),
        "HELMBROKER_ADDONS_DIR": str(CHECKOUT / "addons"),
        "HELMBROKER_OVERRIDES_FILE": str(running.data_dir.parent / "overrides.yaml"),
        "HELMBROKER_INSTANCE_NAMESPACE": running.namespace,
        "HELMBROKER_LISTEN": running.platform.url.removeprefix("http://"),
        "HELMBROKER_LEASE_S": "5",
    }
    return given


def operate(running: Broker, *arguments: str) -> Said:
    argv = [*COMMAND, *arguments]
    done = subprocess.run(
        argv, env=environment(running), cwd=CHECKOUT, check=False, capture_output=True, text=True, timeout=200
    )
    return Said(done.returncode, done.stdout, done.stderr)


def shell(*argv: str) -> None:
    subprocess.run(argv, check=True, capture_output=True, timeout=100)


@contextmanager
def started_again(running: Broker) -> Iterator[None]:
    """The same broker, in new processes."""
    with (running.data_dir.parent / "log-again").open("ab") as log:
        process = subprocess.Popen(
            [*COMMAND, "run"], env=environment(running), cwd=CHECKOUT, stdout=log, stderr=log, process_group=0
        )
    try:
        eventually(lambda: _serves(running), within_s=START_S)
        yield
    finally:
        process.terminate()
        process.wait(STOP_S)


def _serves(running: Broker) -> bool | None:
    try:
        return running.platform.ask("GET", "/v2/catalog").status_code == 200 or None
    except OSError:
        return None


@dataclass(frozen=True)
class Shop:
    """An instance of each of two addons; three bindings, and a client for each."""

    postgresql: Instance
    redis: Instance
    bindings: list[Binding]
    clients: list[Client]

    def log_in(self, number: int) -> int:
        addon = "postgresql" if number < 2 else "redis"
        said = self.clients[number].run_when_served(step(addon, "login"))
        return said.status


def shop(kube: Kube, running: Broker, apps: str) -> Shop:
    instances = [running.platform.instance(addon, "small") for addon in ("postgresql", "redis")]
    with ThreadPoolExecutor(2) as pool:
        assert [end.state for end in pool.map(Instance.provision, instances)] == ["succeeded"] * 2
    bindings = [instances[0].binding(), instances[0].binding(), instances[1].binding()]
    clients = []
    for binding in bindings:
        assert binding.bind().state == "succeeded"
        addon = "redis" if binding.instance is instances[1] else "postgresql"
        image = image_of(addon, "small", OVERRIDES[addon])
        clients.append(Client.start(kube, apps, f"c-{binding.id[:8]}", image, binding.credentials()))
    made = Shop(instances[0], instances[1], bindings, clients)
    for number, client in enumerate(clients):
        client.await_ready(kube)
        assert made.log_in(number) == 0
    return made


@pytest.fixture
def running(kube: Kube, tmp_path: Path) -> Iterator[Broker]:
    with broker(kube, tmp_path) as made:
        yield made


@pytest.fixture
def apps(kube: Kube) -> Iterator[str]:
    with throw_away_namespace(kube) as namespace:
        yield namespace


def test_the_database_is_lost(kube: Kube, running: Broker, apps: str) -> None:
    """Key ring and cluster are enough."""
    made = shop(kube, running, apps)
    delivered = [binding.credentials() for binding in made.bindings]
    running.process.terminate()
    running.process.wait(STOP_S)
    for file in running.data_dir.glob("helmbroker.db*"):
        file.unlink()
    said = operate(running, "rebuild")
    assert (said.status, said.output.count("restored "), said.errors.count("left out")) == (0, 5, 0), said
    with started_again(running):
        assert operate(running, "doctor").status == 0
        assert [binding.credentials() for binding in made.bindings] == delivered
        assert [made.log_in(number) for number in range(3)] == [0, 0, 0]
        another = made.redis.binding()
        assert another.bind().state == "succeeded"
        assert made.bindings[0].unbind().state == "succeeded"
        assert made.log_in(0) != 0
        assert made.log_in(1) == 0
        update = made.redis.update(parameters={"settings": {"maxmemory_policy": "allkeys-lru"}})
        assert update.state == "succeeded", update
        assert [instance.delete().state for instance in (made.postgresql, made.redis)] == ["succeeded"] * 2
        await_nothing(running.namespace)


def test_what_others_did_is_found_and_mended(kube: Kube, running: Broker, apps: str, tmp_path: Path) -> None:
    """A release uninstalled, one upgraded, one scaled; an orphan, and one of somebody else."""
    made = shop(kube, running, apps)
    third = running.platform.instance("redis", "small")
    assert third.provision().state == "succeeded"
    lost, scaled, upgraded = (running.release(each.id).name for each in (made.postgresql, made.redis, third))
    here = ("--namespace", running.namespace)
    broker_id = _broker_id(running)
    shell("helm", "uninstall", lost, *here, "--wait")
    shell("kubectl", "scale", f"statefulset/{scaled}", "--replicas=0", *here)
    shell("helm", "upgrade", upgraded, str(ADDONS / "redis" / "chart"), "--reuse-values", *here)
    orphan = ("--labels", f"{naming.LABEL_BROKER}={broker_id}")
    shell("helm", "install", "hb-orphan", str(PROBE_CHART), *here, *orphan)
    shell("helm", "install", "theirs", str(PROBE_CHART), *here)
    said = operate(running, "doctor", "--output", "json")
    expected = [
        ("changed", f"instance {made.redis.id}"),
        ("changed", f"instance {third.id}"),
        ("lost", f"instance {made.postgresql.id}"),
        ("orphan", f"release {running.namespace}/hb-orphan"),
    ]
    assert (said.status, said.findings) == (1, expected), said.output
    repaired = operate(running, "doctor", "--repair", "--yes")
    assert repaired.output.count("is as it is recorded") == 3, repaired
    assert [made.log_in(number) for number in range(3)] == [0, 0, 0], "with the passwords of before"
    assert operate(running, "doctor", "--output", "json").findings == expected[3:]
    refused = operate(running, "purge", "theirs", "--yes", "--with-data")
    assert (refused.status, "is not this broker's and is left alone" in refused.errors) == (1, True), refused
    assert operate(running, "purge", "hb-orphan", "--yes", "--with-data").status == 0
    assert operate(running, "doctor").status == 0
    for instance in (made.postgresql, made.redis, third):
        assert instance.delete().state == "succeeded"
    left = {name for name in objects(running.namespace) if "theirs" not in name}
    assert left == set()
    shell("helm", "uninstall", "theirs", *here)


def _broker_id(running: Broker) -> str:
    with closing(sqlite3.connect(running.data_dir / "helmbroker.db")) as database:
        (broker_id,) = database.execute("SELECT value FROM facts WHERE name = 'broker_id'").fetchone()
    return str(broker_id)
