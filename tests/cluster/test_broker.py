"""The broker at work: real processes, real helm, real pods. One broker for all of this file."""

from __future__ import annotations

import json
import os
import re
import shutil
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from typing import Any

import pytest

from helmbroker.broker.domain.ports import Deployment
from helmbroker.broker.helm.releases import HelmCli
from helmbroker.catalog.values import merge
from helmbroker.kubeapi.port import Kube
from tests.cluster.addons import ADDONS, NAMES, PROBE_CHART, copies, document, image_of, probe, step
from tests.cluster.broker import OVERRIDES, Broker, arguments, broker, descendants
from tests.cluster.clients import Client
from tests.cluster.inventory import await_nothing, objects
from tests.cluster.osb import Binding
from tests.cluster.reach import throw_away_namespace

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]

CLUSTER_ROLE = """
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: "{{ .Release.Name }}"}
rules: [{apiGroups: ["*"], resources: ["*"], verbs: ["*"]}]
"""
AT_ONCE = 3  # lives of addons: servers take their time to start
HUGE: dict[str, Any] = {"resources": {"requests": {"cpu": "1000", "memory": "32Mi"}}}


@pytest.fixture(scope="module")
def running(kube: Kube, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    folder = tmp_path_factory.mktemp("broker")
    copies(folder / "addons")
    probe(folder / "addons", "probe")
    probe(folder / "addons", "no-image", {"image": "nowhere.invalid/x:1", "replicas": 1})
    probe(folder / "addons", "refusing", {"refuse": True})
    probe(folder / "addons", "powerful", more={"templates/role.yaml": CLUSTER_ROLE})
    probe(folder / "addons", "broken", more={"templates/broken.yaml": "{{ .Values.no.such.value }}"})
    overrides = {**OVERRIDES, "huge": merge(OVERRIDES["redis"], HUGE)}
    _renamed(folder / "addons", "redis", "huge")
    environment = {"HELMBROKER_ADDONS_DIR": str(folder / "addons")}
    with broker(kube, folder, overrides=overrides, environment=environment) as made:
        yield made


def _renamed(folder: Path, name: str, new: str) -> None:
    """The same addon under another name and other ids."""
    shutil.copytree(folder / name, folder / new)
    for path in (folder / new / "addon.yaml", *(folder / new / "plans").glob("*.yaml")):
        lines = path.read_text().splitlines()
        changed = [f"name: {new}" if line == f"name: {name}" else line for line in lines]
        changed = [f"id: 0000{line[8:]}" if line.startswith("id: ") else line for line in changed]
        path.write_text("\n".join(changed) + "\n")


@pytest.fixture(scope="module")
def apps(kube: Kube) -> Iterator[str]:
    """Where the clients live."""
    with throw_away_namespace(kube) as namespace:
        yield namespace


@pytest.mark.osb(106, 115)
@pytest.mark.bug(20, 23)
def test_life(kube: Kube, running: Broker, apps: str) -> None:
    """Every addon by its own contract, some at the same time; to their larger plans test_update changes."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for done in [pool.submit(_life, kube, running, apps, addon, "small") for addon in NAMES]:
            done.result()


def _life(kube: Kube, broker: Broker, apps: str, addon: str, plan: str) -> None:
    contract = document(ADDONS / addon / "contract.yaml")
    instance = broker.platform.instance(addon, plan)
    end = instance.provision()
    assert (end.state, end.description) == ("succeeded", f"{addon} is ready"), end
    bindings = [instance.binding(), instance.binding()]
    clients = [_client(kube, apps, addon, plan, binding, contract) for binding in bindings]
    login = step(addon, "login")
    for client in clients:
        client.await_ready(kube)
        said = client.run(login)
        assert said.status == 0, said.output
    first, second = clients
    said = first.run(step(addon, "write"))
    assert said.status == 0, said.output
    said = second.run(step(addon, "read"))
    assert said.status == 0, said.output
    unbound = bindings[0].unbind()
    assert (unbound.state, unbound.description) == ("succeeded", "the credentials are revoked"), unbound
    said = first.run(login)
    assert said.status != 0
    assert re.search(contract["refused"], said.output), said.output
    assert second.run(login).status == 0
    deleted = instance.delete()
    assert deleted.state == "succeeded", deleted
    await_nothing(broker.namespace, broker.release(instance.id).name)
    # packets to an address that nobody has any more may simply be dropped
    assert second.run(login, within_s=20).status != 0


def _client(kube: Kube, apps: str, addon: str, plan: str, binding: Binding, contract: dict[str, Any]) -> Client:
    end = binding.bind()
    assert (end.state, end.description) == ("succeeded", "the credentials are ready"), end
    credentials = binding.credentials()
    assert sorted(credentials) == sorted(contract["credentials"])
    image = image_of(addon, plan, OVERRIDES[addon])
    return Client.start(kube, apps, f"{addon}-{plan}-{binding.id[:8]}", image, credentials)


class Serving:
    """Asks the API for something all the time, to see that nobody's failure stops it."""

    def __init__(self, broker: Broker) -> None:
        self._broker, self._stop = broker, threading.Event()
        self.slowest_s, self.statuses = 0.0, set[int]()

    def _ask(self) -> None:
        while not self._stop.wait(0.2):
            began = time.monotonic()
            self.statuses.add(self._broker.platform.ask("GET", "/v2/catalog").status_code)
            self.slowest_s = max(self.slowest_s, time.monotonic() - began)

    @contextmanager
    def meanwhile(self) -> Iterator[None]:
        thread, began = threading.Thread(target=self._ask), time.monotonic()
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join()
        assert self.statuses == {200}
        took_s = time.monotonic() - began  # most of it is one failure's, however slow the machine is
        assert self.slowest_s < took_s / 4


BAD = {
    "no-image": (
        "Image nowhere.invalid/x:1 for container main of pod {release}-0 cannot be pulled: ",
        "The registry cannot be reached: check its name, and the node's network or mirror.",
    ),
    "huge": (
        "Pod {release}-0 cannot be scheduled: 0/1 nodes are available: 1 Insufficient cpu; it asks 1000 CPU, ",
        "Ask for less, or give the cluster room for it.",
    ),
    "refusing": (
        (
            "The chart cannot be rendered: execution error at (probe/templates/objects.yaml:1:27): "
            "refuse is true, and so it is refused."
        ),
        "If the parameters are not to blame, the addon's author has to mend the chart.",
    ),
    "broken": (
        "The chart cannot be rendered: probe/templates/broken.yaml:1:10 executing",
        "If the parameters are not to blame, the addon's author has to mend the chart.",
    ),
    "powerful": (
        (
            "The broker's policy refuses what the chart would create: ClusterRole {release}: "
            "kind: ClusterRole of rbac.authorization.k8s.io/v1 is not allowed."
        ),
        "The addon's author has to mend the chart.",
    ),
}


def test_bad_input_is_told_and_cleaned_up(running: Broker) -> None:
    """Each says what failed, where, and what to do; the API serves on; nothing is left."""

    def check(addon: str) -> None:
        instance = running.platform.instance(addon, "small")
        release = running.release(instance.id).name
        end = instance.provision()
        beginning, cure = (part.format(release=release) for part in BAD[addon])
        assert end.state == "failed"
        assert end.description.startswith(beginning), end
        assert end.description.endswith(cure), end
        bind = running.platform.ask("PUT", instance.binding().path, instance.ids, accepts_incomplete="true")
        assert bind.status_code == 422
        assert instance.delete().state == "succeeded"
        await_nothing(running.namespace, release)

    with Serving(running).meanwhile(), ThreadPoolExecutor(len(BAD)) as pool:
        for done in [pool.submit(check, addon) for addon in BAD]:
            done.result()


def test_a_parameter_beyond_the_plan_is_told(running: Broker) -> None:
    instance = running.platform.instance("postgresql", "small")
    end = instance.provision({"storage": {"size": "20Gi"}})
    assert (
        "storage.size is 20Gi, this plan allows at most 10Gi: ask for less or choose a larger plan"
        in end.description
    )
    assert instance.delete().state == "succeeded"


@pytest.mark.bug(54)
def test_a_foreign_release_is_left_alone(kube: Kube, running: Broker, tmp_path: Path) -> None:
    """With real helm: the names are hashes, so somebody had to want it."""
    instance = running.platform.instance("probe", "small")
    ref = running.release(instance.id)
    helm = HelmCli("helm", tmp_path, kubeconfig=os.environ["KUBECONFIG"])
    manifest = helm.render(PROBE_CHART, {}, ref, stop=threading.Event())
    helm.deploy(Deployment(ref, PROBE_CHART, {}, manifest, {"team": "other"}, 60.0), threading.Event())
    before = {name for name in objects(running.namespace) if ref.name in name}
    assert "is not this broker's and is left alone" in instance.provision().description
    deleted = instance.delete()
    assert deleted.state == "succeeded"
    assert {name for name in objects(running.namespace) if ref.name in name} == before
    helm.uninstall(ref, hooks=False, timeout_s=60.0, stop=threading.Event())


class Watch:
    """Reads the command lines of all processes, and the environments of the broker's, as often as it can."""

    def __init__(self, broker: Broker) -> None:
        self._pid, self._stop = broker.process.pid, threading.Event()
        self.seen: set[bytes] = set()
        self.commands: set[str] = set()

    def _look(self) -> None:
        while not self._stop.wait(0.005):
            for pid in descendants(self._pid):
                self.commands.add(" ".join(arguments(pid)))
                self._read(f"/proc/{pid}/environ")
            for place in Path("/proc").glob("[0-9]*"):
                self._read(f"{place}/cmdline")

    def _read(self, path: str) -> None:
        try:
            self.seen.add(Path(path).read_bytes())
        except OSError:
            return

    @contextmanager
    def on(self) -> Iterator[None]:
        thread = threading.Thread(target=self._look)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join()


@pytest.mark.bug(50, 51)
def test_secrets_are_nowhere_to_be_read(running: Broker) -> None:
    """Parameters and credentials, in logs (debug), command lines, environments, columns, sentences."""
    canary = f"canary-{token_hex(8)}"  # nobody else on this machine has it in a command
    fails = 'echo "wrong: $TEXT"; sleep 1; exit 3'  # long enough to be seen, if the canary stood in it
    watch = Watch(running)
    told: list[str] = []
    with watch.on():
        failing = running.platform.instance("probe", "small")
        told += failing.provision({"text": canary, "make": fails}).seen
        told += failing.delete().seen
        instance = running.platform.instance("probe", "small")
        told += instance.provision({"text": canary, "make": "sleep 1"}).seen
        binding = instance.binding()
        told += binding.bind({"text": f"{canary}-too"}).seen
        credentials = binding.credentials()
        shown = running.platform.expect(200, "GET", instance.path)
        stored = b"".join(path.read_bytes() for path in running.data_dir.glob("helmbroker.db*"))
        told += instance.delete().seen
    assert any("wrong: <hidden> (exit code 3)" in text for text in told)
    assert credentials["text"] == f"{canary}-too"
    secrets = [canary, credentials["password"]]
    assert any("helm upgrade" in command for command in watch.commands), "helm was seen at work"
    everything = {
        "sentences": json.dumps([told, shown]).encode(),
        "command lines and environments": b" ".join(watch.seen),
        "log": running.log.read_bytes(),
        "database": stored,
    }
    for secret in secrets:
        for place, content in everything.items():
            assert secret.encode() not in content, place
    assert b"debug" in everything["log"]


def test_nothing_is_left_at_the_end(running: Broker) -> None:
    await_nothing(running.namespace)
