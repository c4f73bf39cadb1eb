"""Updates on a real cluster: data and credentials outlive a plan change, and one that fails is undone."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import yaml

from helmbroker.kubeapi.port import Kube
from tests.cluster.addons import ADDONS, NAMES, copies, document, probe, step
from tests.cluster.broker import OVERRIDES, Broker, broker
from tests.cluster.clients import Client
from tests.cluster.inventory import await_nothing
from tests.cluster.killing import helm_of, kill_worker
from tests.cluster.osb import Instance
from tests.cluster.reach import eventually, throw_away_namespace

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]

AT_ONCE = 3  # updates of addons: servers take their time to start
# settings of the plan and of the parameters, and what they are before and after
SHOW = {
    "mariadb": "sql 'SELECT @@max_allowed_packet DIV 1048576, @@max_connections'",
    "memcached": "plain 'stats settings' | grep -E '^STAT (idle_timeout|maxconns) ' | cut -d ' ' -f 3",
    "postgresql": "sql 'SHOW work_mem'; sql 'SHOW max_connections'",
    "rabbitmq": "amqp login; echo ok",
    "redis": "say 'INFO memory' | tr -d '\\r' | grep '^maxmemory:'",
}
BEFORE = {
    "mariadb": ["16", "50"],
    "memcached": ["500", "0"],
    "postgresql": ["4MB", "50"],
    "rabbitmq": ["ok"],
    "redis": ["maxmemory:167772160"],
}
AFTER = {
    "mariadb": ["32", "150"],
    "memcached": ["2000", "600"],
    "postgresql": ["16MB", "150"],
    "rabbitmq": ["ok"],
    "redis": ["maxmemory:734003200"],
}


def grows(addon: str) -> bool:
    """Whether volumes of its instances do."""
    return "storage" in document(ADDONS / addon / "plans" / "small.yaml")["values"]


def with_a_plan_too_large(folder: Any, addon: str) -> None:
    """No node has as many processors as this plan asks for; the volume grows before that is known."""
    plan = document(ADDONS / addon / "plans" / "small.yaml")
    plan |= {"id": str(uuid.uuid5(uuid.NAMESPACE_DNS, addon)), "name": "huge"}
    plan["values"] = {**plan["values"], "resources": {"requests": {"cpu": "1000", "memory": "32Mi"}}}
    plan["values"] |= {"storage": {"size": "2Gi"}} if grows(addon) else {}
    (folder / addon / "plans" / "huge.yaml").write_text(yaml.safe_dump(plan))


@pytest.fixture(scope="module")
def running(kube: Kube, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    folder = tmp_path_factory.mktemp("broker")
    copies(folder / "addons")
    for addon in NAMES:
        with_a_plan_too_large(folder / "addons", addon)
    probe(folder / "addons", "probe")
    environment = {"HELMBROKER_ADDONS_DIR": str(folder / "addons")}
    with broker(kube, folder, environment=environment) as made:
        yield made


def shown(client: Client, addon: str, contract: dict[str, Any]) -> list[str]:
    """The settings; and what was written is there."""
    said = client.run_when_served(["sh", "-euc", f"{contract['client']}\n{SHOW[addon]}"])
    assert said.status == 0, said.output
    if contract.get("durable", True):
        assert client.run(step(addon, "read")).status == 0
    return said.output.split()


def updated(kube: Kube, broker: Broker, apps: str, addon: str) -> None:
    platform, contract = broker.platform, document(ADDONS / addon / "contract.yaml")
    instance = platform.instance(addon, "small")
    assert instance.provision().state == "succeeded"
    binding = instance.binding()
    assert binding.bind().state == "succeeded"
    image = "{repository}:{tag}".format(**OVERRIDES[addon]["image"])
    client = Client.start(kube, apps, f"{addon}-client", image, binding.credentials())
    client.await_ready(kube)
    assert client.run(step(addon, "write")).status == 0
    before = platform.expect(200, "GET", instance.path)

    operation = instance.begin_update(plan_id=platform.ids(addon, "huge")["plan_id"], parameters=contract["update"])
    end = instance.follow(operation)
    assert end.state == "failed"
    assert "cannot be scheduled: 0/1 nodes are available: 1 Insufficient cpu" in end.description, end
    assert end.description.endswith("The instance runs again what it ran before."), end
    release = broker.release(instance.id)
    kept = f"The volume {release.name}-data keeps its new size 2Gi."
    assert (kept in end.description) == grows(addon), end
    stored = kube.list("Secret", release.namespace, labels={"owner": "helm", "name": release.name})
    newest = max(stored, key=lambda secret: int(secret["metadata"]["labels"]["version"]))
    assert newest["metadata"]["labels"]["status"] == "deployed"
    told = platform.expect(200, "GET", f"{instance.path}/last_operation", None, operation=operation)
    assert (told["instance_usable"], told["update_repeatable"]) == (True, True)
    assert platform.expect(200, "GET", instance.path) == before
    assert shown(client, addon, contract) == BEFORE[addon]

    end = instance.update(plan_id=platform.ids(addon, "medium")["plan_id"], parameters=contract["update"])
    assert (end.state, end.description) == ("succeeded", f"{addon} is updated"), end
    assert shown(client, addon, contract) == AFTER[addon]
    assert instance.binding().bind().state == "succeeded"
    assert instance.delete().state == "succeeded"
    await_nothing(broker.namespace, broker.release(instance.id).name)


@pytest.mark.osb(66, 76, 77)
@pytest.mark.bug(16, 41, 42)
def test_data_and_credentials_outlive_updates_that_fail_and_that_succeed(kube: Kube, running: Broker) -> None:
    assert set(NAMES) == set(SHOW) == set(BEFORE) == set(AFTER)
    with throw_away_namespace(kube) as apps, ThreadPoolExecutor(AT_ONCE) as pool:
        for done in [pool.submit(updated, kube, running, apps, addon) for addon in NAMES]:
            done.result()


@pytest.mark.osb(83)
@pytest.mark.bug(27)
def test_a_deletion_stops_the_helm_of_an_update(running: Broker) -> None:
    instance = running.platform.instance("probe", "small")
    assert instance.provision().state == "succeeded"
    operation = instance.begin_update(parameters={"make": "sleep 3600"})
    eventually(lambda: helm_of(running, "upgrade"), within_s=90, every_s=0.05)
    assert (
        instance.delete(within_s=90).state == "succeeded"
    )  # the update by itself would go on for the plan's 120 s
    told = running.platform.ask("GET", f"{instance.path}/last_operation", operation=operation).json()
    assert told["state"] == "failed"
    await_nothing(running.namespace, running.release(instance.id).name)


@pytest.mark.osb(76, 77, 97)
@pytest.mark.bug(5, 17)
def test_a_worker_killed_in_the_middle_leaves_an_update_that_goes_on(running: Broker) -> None:
    """In the upgrade, and in the rollback that the next worker begins with; the way back is not disturbed by it."""
    platform = running.platform
    instance = platform.instance("redis", "small")
    assert instance.provision().state == "succeeded"
    operation = instance.begin_update(plan_id=platform.ids("redis", "huge")["plan_id"])
    kill_worker(running, "upgrade")
    kill_worker(running, "rollback")
    end = instance.follow(operation)
    assert end.state == "failed"
    assert end.description.endswith("The instance runs again what it ran before."), end
    assert instance.update(parameters={"settings": {"idle_timeout_s": 7200}}).state == "succeeded"
    assert instance.delete().state == "succeeded"
    await_nothing(running.namespace, running.release(instance.id).name)


@pytest.mark.osb(63, 72)
@pytest.mark.bug(41)
def test_an_upgrade_brings_the_new_chart_and_nothing_else_does(
    kube: Kube, running: Broker, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A second broker on the same database has the next version of the addon, as during a rolling update."""
    instance = running.platform.instance("probe", "small")
    assert instance.provision({"replicas": 0}).state == "succeeded"
    addons = tmp_path_factory.mktemp("newer")
    probe(addons, "probe")
    for path, old, new in (("addon.yaml", "1.0.0", "2.0.0"), ("chart/values.yaml", "text: default", "text: newer")):
        text = (addons / "probe" / path).read_text()
        assert old in text
        (addons / "probe" / path).write_text(text.replace(old, new))
    release = running.release(instance.id)

    def text_in_the_cluster() -> object:
        found = kube.get("ConfigMap", release.namespace, release.name)
        assert found is not None
        return found["data"]["text"]

    with broker(kube, running.data_dir.parent, environment={"HELMBROKER_ADDONS_DIR": str(addons)}) as newer:
        same = Instance(newer.platform, instance.id, instance.ids)
        assert same.update(parameters={"make": ""}).state == "succeeded"
        assert text_in_the_cluster() == "default"
        assert same.update(maintenance_info={"version": "2.0.0"}).state == "succeeded"
        assert text_in_the_cluster() == "newer"
        assert newer.platform.expect(200, "GET", same.path)["maintenance_info"] == {"version": "2.0.0"}
        assert same.delete().state == "succeeded"
    await_nothing(running.namespace, release.name)
