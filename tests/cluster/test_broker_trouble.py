"""What a broker has to live through: no helm, no cluster, no space, its own death. Each test has its own broker."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from helmbroker.kubeapi.port import Kube
from tests.cluster.addons import copies, probe
from tests.cluster.broker import Broker, broker
from tests.cluster.clients import Client
from tests.cluster.forward import door
from tests.cluster.inventory import await_nothing, objects
from tests.cluster.killing import kill_worker
from tests.cluster.osb import Instance
from tests.cluster.reach import eventually, throw_away_namespace

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]

OLD_HELM = "#!/bin/sh\necho v4.1.0\n"
CURE = "Install helm 4.2.4 or newer, or set HELMBROKER_HELM to its path. Tell the operator."
QUICK = {"HELMBROKER_STUCK_AFTER_S": "4", "HELMBROKER_LEASE_S": "5"}


@pytest.fixture
def addons(tmp_path: Path) -> dict[str, str]:
    """Settings of a broker that offers the small addon beside the others."""
    copies(tmp_path / "addons")
    probe(tmp_path / "addons", "probe", {"image": "sandbox.local/redis:7"})
    return {"HELMBROKER_ADDONS_DIR": str(tmp_path / "addons")}


def told(instance: Instance, operation: str) -> dict[str, Any]:
    return instance.platform.expect(200, "GET", f"{instance.path}/last_operation", None, operation=operation)


def says(instance: Instance, operation: str, beginning: str, *, within_s: float = 90) -> str:
    """The description, once it begins so."""

    def look() -> str | None:
        text = str(told(instance, operation)["description"])
        return text if text.startswith(beginning) else None

    return eventually(look, within_s=within_s, every_s=0.1)


@pytest.mark.parametrize(
    ("content", "why"),
    [(None, "there is no program {helm}"), (OLD_HELM, "{helm} is helm 4.1.0")],
    ids=["missing", "too old"],
)
def test_without_a_usable_helm(
    kube: Kube, tmp_path: Path, addons: dict[str, str], content: str | None, why: str
) -> None:
    helm = tmp_path / "helm"
    if content is not None:
        helm.write_text(content)
        helm.chmod(0o755)
    with broker(kube, tmp_path / "broker", environment={**addons, "HELMBROKER_HELM": str(helm)}) as running:
        instance = running.platform.instance("probe", "small")
        end = instance.provision()
        reason = why.format(helm=helm)
        assert (end.state, end.description) == ("failed", f"Helm cannot be used: {reason}. {CURE}")
        assert instance.delete().state == "succeeded"
        await_nothing(running.namespace)
        assert f"operations will fail: {reason}" in running.log.read_text()


def test_the_cluster_goes_and_comes(kube: Kube, tmp_path: Path, addons: dict[str, str]) -> None:
    """While it is away operations wait and say why; when it is back they end by themselves."""
    kubeconfig = tmp_path / "kubeconfig"
    with (
        door(Path(os.environ["KUBECONFIG"]), kubeconfig) as to_cluster,
        broker(
            kube, tmp_path / "broker", environment={**addons, "HELMBROKER_KUBECONFIG": str(kubeconfig)}
        ) as running,
    ):
        instance, unwanted = (running.platform.instance("probe", "small") for _ in range(2))
        operation, stopped = instance.begin(), unwanted.begin()
        text = says(instance, operation, "The cluster cannot be used now: ")
        assert f"https://127.0.0.1:{to_cluster.port} is not reachable: connection refused" in text
        deletion = unwanted.begin_deletion()
        says(unwanted, deletion, "The cluster cannot be used now: ")
        assert told(unwanted, stopped)["state"] == "failed"
        to_cluster.open()
        _succeeds(instance, operation)
        _succeeds(unwanted, deletion)
        binding = instance.binding()
        end = binding.bind()
        assert end.state == "succeeded", end
        to_cluster.close()
        deletion = instance.begin_deletion()
        says(instance, deletion, "The cluster cannot be used now: ")
        to_cluster.open()
        _succeeds(instance, deletion)
        await_nothing(running.namespace)


def _succeeds(instance: Instance, operation: str) -> None:
    end = instance.follow(operation)
    assert end.state == "succeeded", end


# The command gets a small file system of its own as data directory, with what `init` has made in the real one.
TMPFS = """
set -eu
mount -t tmpfs -o size=6m,mode=0700 tmpfs "$1/space"
cp -a "$1/data/." "$1/space/"
mount --bind "$1/space" "$1/data"
shift
exec "$@"
"""


def test_a_full_disk(kube: Kube, tmp_path: Path, addons: dict[str, str]) -> None:
    """Nothing is accepted that cannot be kept; what runs goes on when there is space again; reads are served."""
    folder = tmp_path / "broker"
    (folder / "space").mkdir(parents=True)
    prefix = ("unshare", "--mount", "sh", "-c", TMPFS, "sh", str(folder))
    with broker(kube, folder, environment=addons, prefix=prefix) as running:
        # the broker's own view of its data directory: nobody else sees that file system
        data = Path(f"/proc/{running.process.pid}/root/{folder / 'data'}")
        instance = running.platform.instance("probe", "small")
        assert instance.provision().state == "succeeded"
        other = running.platform.instance("probe", "small")
        operation = other.begin({"make": "sleep 2"})
        fill(data / "filler")
        accepted: list[Instance] = []
        eventually(lambda: refuses(running, accepted) or None, within_s=90)
        assert told(other, operation)["state"] == "in progress"
        assert running.platform.ask("GET", instance.path).status_code == 200
        (data / "filler").unlink()
        assert other.follow(operation).state == "succeeded"
        for each in (instance, other, *accepted):
            assert each.delete().state == "succeeded"
        await_nothing(running.namespace)


def fill(path: Path) -> None:
    """Leave no byte of the file system free."""
    with path.open("wb", buffering=0) as file:
        for size in (1 << 16, 1 << 10, 1):
            try:
                while True:
                    file.write(b"\0" * size)
            except OSError:
                continue


def refuses(running: Broker, accepted: list[Instance]) -> bool:
    """Whether a new instance is: those that are not are noted, as SQLite has a free page left at times."""
    new = running.platform.instance("probe", "small")
    body = {**new.ids, "organization_guid": "o", "space_guid": "s"}
    answer = running.platform.ask("PUT", new.path, body, accepts_incomplete="true")
    if answer.status_code == 202:
        accepted.append(new)
        return False
    assert answer.status_code == 503, answer.text
    description = "The broker's database cannot be used now (away, or its disk is full). Try again."
    assert answer.json()["description"] == description
    return True


def releases(running: Broker) -> list[str]:
    return sorted(name for name in objects(running.namespace) if name.startswith("secret/sh.helm.release.v1."))


def users(client: Client) -> list[str]:
    said = client.run(["sh", "-euc", 'psql "$URI" -At -c "SELECT rolname FROM pg_roles WHERE rolname ~ \'^u_\'"'])
    assert said.status == 0, said.output
    return said.output.split()


def timed(action: Callable[[], object]) -> float:
    began = time.monotonic()
    action()
    return time.monotonic() - began


@pytest.mark.osb(97)
@pytest.mark.bug(5, 15)
def test_the_worker_is_killed(kube: Kube, tmp_path: Path) -> None:
    """In the middle of each operation: it goes on by itself, in seconds, and everything is there once."""
    with broker(kube, tmp_path / "broker", environment=QUICK) as running, throw_away_namespace(kube) as apps:
        instance = running.platform.instance("postgresql", "small")
        release = running.release(instance.id).name
        operation = instance.begin()
        kill_worker(running, "upgrade", release)
        end = instance.follow(operation)
        assert (end.state, end.description) == ("succeeded", "postgresql is ready")
        assert releases(running) == [f"secret/sh.helm.release.v1.{release}.v1"]

        binding = instance.binding()
        operation = binding.begin()
        kill_worker(running, "upgrade", "--install")
        end = instance.follow(operation, binding.path)
        assert (end.state, end.description) == ("succeeded", "the credentials are ready")
        assert len(releases(running)) == 2
        credentials = binding.credentials()
        client = Client.start(kube, apps, "client", "sandbox.local/postgresql:15", credentials)
        client.await_ready(kube)
        assert users(client) == [credentials["username"]]

        second = instance.binding()
        assert second.bind().state == "succeeded"
        assert len(users(client)) == 2
        answer = running.platform.expect(
            202, "DELETE", second.path, None, **instance.ids, accepts_incomplete="true"
        )
        kill_worker(running, "uninstall")
        assert instance.follow(answer["operation"], second.path).state == "succeeded"
        assert users(client) == [credentials["username"]]

        operation = instance.begin_deletion()
        kill_worker(running, "uninstall", release)
        assert instance.follow(operation).state == "succeeded"
        await_nothing(running.namespace)
