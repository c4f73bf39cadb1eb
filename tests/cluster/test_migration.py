"""An instance of Drycc's helmbroker moves here while it runs, and its pod does not notice."""

from __future__ import annotations

import base64
import uuid
from dataclasses import replace
from pathlib import Path

import pytest

from helmbroker.broker.domain.naming import ReleaseRef
from helmbroker.broker.kube.cluster import KubeCluster
from helmbroker.kubeapi.port import Kube
from tests.cluster.broker import Broker, broker
from tests.cluster.inventory import await_nothing
from tests.cluster.operating import Said, operate, shell
from tests.cluster.osb import Binding, Instance
from tests.cluster.reach import throw_away_namespace
from tests.fakes.drycc_directory import ADDON, CREDENTIALS, OldInstance, bound, write_addon, write_root

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]
POD, CLAIM = "helmbroker-mydb-0", "data-helmbroker-mydb-0"


def test_the_pod_does_not_notice(kube: Kube, tmp_path: Path) -> None:
    """helm 4 with --server-side=false stands in for helm 3: it makes the same objects and such a release."""
    addons, root = tmp_path / "addons", tmp_path / "old"
    write_addon(addons / "store")
    root.mkdir()
    environment = {"HELMBROKER_ADDONS_DIR": str(addons)}
    with (
        throw_away_namespace(kube) as shop,
        broker(kube, tmp_path / "broker", overrides={}, environment=environment) as running,
    ):
        old = OldInstance(str(uuid.uuid4()), "mydb", shop, parameters={"auth.password": "c4n4ry"})
        write_root(root, old)
        shell("helm", "install", *old.helm(root), "--server-side=false", "--wait")
        installed = KubeCluster(kube).release(ReleaseRef(shop, "mydb"))
        assert installed is not None
        assert installed.client_side
        replace(old, binding=bound()).write(root)
        before = _uids(kube, shop)
        _take(kube, running, addons, root, old)
        assert _uids(kube, shop) == before
        instance = Instance(running.platform, old.id, running.platform.ids(ADDON, "standard-small"))
        binding = _use(kube, instance, shop)
        assert _uids(kube, shop) == before, "pod and claim are those of before"
        _agree(running, addons)
        shell("kubectl", "scale", "statefulset/helmbroker-mydb", "--replicas=0", "--namespace", shop)
        repaired = operate(running, "doctor", "--repair", "--yes", ADDONS_DIR=str(addons))
        assert repaired.status == 0, repaired
        _agree(running, addons)
        updated = KubeCluster(kube).release(installed.ref)
        assert updated is not None
        assert updated.client_side, "as it was made"
        assert binding.unbind().state == "succeeded"
        assert instance.delete().state == "succeeded"
        await_nothing(shop)


def _take(kube: Kube, running: Broker, addons: Path, root: Path, old: OldInstance) -> None:
    """Tried first, then done, then repeated."""
    releases = _releases(kube, old.namespace)
    dry = _migrate(running, addons, root, "--dry-run")
    assert (dry.status, dry.output.startswith(f"migrated  instance {old.id}: made")) == (0, True), dry
    assert _releases(kube, old.namespace) == releases
    assert _migrate(running, addons, root).output == dry.output
    assert _migrate(running, addons, root).output.startswith(f"known     instance {old.id}")
    assert list(_releases(kube, old.namespace)) == list(releases), "no revision is made"
    assert "c4n4ry" not in dry.output
    _agree(running, addons)


def _use(kube: Kube, instance: Instance, shop: str) -> Binding:
    """Its platform binds it, and changes parameters and plan; its passwords are those of before."""
    platform = instance.platform
    assert platform.expect(200, "GET", instance.path)["plan_id"] == instance.ids["plan_id"]
    kept = platform.expect(200, "GET", f"{instance.path}/service_bindings/b1")
    assert kept["credentials"] == CREDENTIALS
    binding = instance.binding()
    assert binding.bind().state == "succeeded"
    assert binding.credentials()["PASSWORD"] == "c4n4ry"
    assert instance.update(parameters={"settings.mode": "fast"}).state == "succeeded"
    larger = platform.ids(ADDON, "standard-large")["plan_id"]
    assert instance.update(plan_id=larger).state == "succeeded"
    settings = kube.get("ConfigMap", shop, "helmbroker-mydb-settings")
    assert settings is not None
    assert (settings["data"]["mode"], settings["data"]["size"]) == ("fast", "large")
    secret = kube.get("Secret", shop, "helmbroker-mydb")
    assert secret is not None
    assert base64.b64decode(secret["data"]["store-password"]) == b"c4n4ry"
    return binding


def _migrate(running: Broker, addons: Path, root: Path, *options: str) -> Said:
    return operate(running, "migrate-drycc", str(root), *options, ADDONS_DIR=str(addons))


def _agree(running: Broker, addons: Path) -> None:
    said = operate(running, "doctor", ADDONS_DIR=str(addons))
    assert said.status == 0, said


def _uids(kube: Kube, namespace: str) -> list[str]:
    found = [kube.get("Pod", namespace, POD), kube.get("PersistentVolumeClaim", namespace, CLAIM)]
    return [each["metadata"]["uid"] for each in found if each is not None]


def _releases(kube: Kube, namespace: str) -> dict[str, dict[str, str]]:
    found = kube.list("Secret", namespace, labels={"owner": "helm"})
    return {each["metadata"]["name"]: each["metadata"]["labels"] for each in found}
