"""What others do to the cluster is found and mended; what was lost with the database comes back."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from helmbroker.broker.domain import naming
from helmbroker.kubeapi.port import Kube
from tests.cluster.addons import ADDONS, PROBE_CHART
from tests.cluster.broker import Broker
from tests.cluster.customers import apps, customers, running
from tests.cluster.inventory import await_nothing
from tests.cluster.operating import operate, shell, started_again, stop

__all__ = ["apps", "running"]
pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]


def test_the_database_is_lost(kube: Kube, running: Broker, apps: str) -> None:
    """Key ring and cluster are enough."""
    made = customers(kube, running, apps)
    delivered = [binding.credentials() for binding in made.bindings]
    stop(running)
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
    made = customers(kube, running, apps)
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
    expected = sorted(
        [
            ("changed", f"instance {made.redis.id}"),
            ("changed", f"instance {third.id}"),
            ("lost", f"instance {made.postgresql.id}"),
            ("orphan", f"release {running.namespace}/hb-orphan"),
        ]
    )
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
    shell("helm", "uninstall", "theirs", *here)
    await_nothing(running.namespace)


def _broker_id(running: Broker) -> str:
    with closing(sqlite3.connect(running.data_dir / "helmbroker.db")) as database:
        (broker_id,) = database.execute("SELECT value FROM facts WHERE name = 'broker_id'").fetchone()
    return str(broker_id)
