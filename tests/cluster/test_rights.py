"""Broker and bridge at work with the rights that their commands print: nothing is refused, and nothing is unused.

What is used is read from the audit log of the sandbox's API server.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from helmbroker.catalog.values import merge
from helmbroker.controller_bridge.access.kubernetes import GROUP, RESOURCE, VERBS
from helmbroker.kubeapi.client import KubeClient
from helmbroker.kubeapi.rights import Account, Right, objects
from tests.cluster.accounts import BRIDGE, BROKER, given, printed, service_account, token_in
from tests.cluster.addons import ADDONS, NAMES, document
from tests.cluster.audit import RARE, Use, compare, heard, uses
from tests.cluster.bridge import Bridge, Resource, bridge
from tests.cluster.broker import OVERRIDES, Broker, broker
from tests.cluster.inventory import await_nothing
from tests.cluster.operating import operate, shell, started_again, stop
from tests.cluster.osb import END_S, Binding
from tests.cluster.reach import eventually, throw_away_namespace
from tests.cluster.shop import nightly, process, serving, stateful

pytestmark = [pytest.mark.cluster, pytest.mark.sandbox, pytest.mark.timeout(1800)]

HUGE: dict[str, Any] = {"resources": {"requests": {"cpu": "1000", "memory": "32Mi"}}}
AT_ONCE = 3  # lives of addons: servers take their time to start
# read when the Job of a hook has failed: tests/cluster/test_broker.py has one fail
JOB = Use("batch", "jobs", "get")
# looked at when a pod does not go, or is not ready though its containers are: tests/unit/kube/test_cluster.py
NODE = Use("", "nodes", "get")


@pytest.fixture
def home(kube: KubeClient) -> Iterator[str]:
    """Where the accounts are."""
    with throw_away_namespace(kube) as name:
        yield name


def test_all_rights_are_used_and_no_other_is_missed(kube: KubeClient, home: str, tmp_path: Path) -> None:
    worker = service_account(kube, home, "worker", tmp_path / "worker")
    with throw_away_namespace(kube) as instances, throw_away_namespace(kube) as app:
        of_worker = printed(BROKER, "--namespace", instances, "--account", f"{home}/worker")
        of_bridge = printed(
            BRIDGE, "--namespace", app, "--account", f"{home}/bridge", HELMBROKER_BRIDGE_PLATFORM="kubernetes"
        )
        environment = {"HELMBROKER_KUBECONFIG": str(worker)}
        with (
            given(kube, of_worker + of_bridge, home),
            broker(kube, tmp_path, environment=environment, namespace=instances) as running,
        ):
            with ThreadPoolExecutor(AT_ONCE) as pool:
                lives = [pool.submit(_app, kube, running, home, app, tmp_path)]
                lives += [pool.submit(_life, running, addon) for addon in NAMES]
                for done in lives:
                    done.result()
            _lost_and_mended(running, worker)
        beside = uses(printed(BROKER, "--all-namespaces", "--account", "a/b")) - uses(of_worker)
        compare(home, "worker", of_worker, rare={JOB}, may_be_refused=beside)
        compare(home, "bridge", of_bridge, rare=RARE)


def test_where_all_namespaces_are_the_cluster_is_looked_at(kube: KubeClient, home: str, tmp_path: Path) -> None:
    """Instances stay in one namespace, and who cannot be scheduled hears how much room there is."""
    worker = service_account(kube, home, "worker", tmp_path / "worker")
    overrides = {"memcached": merge(OVERRIDES["memcached"], HUGE)}
    environment = {"HELMBROKER_KUBECONFIG": str(worker)}
    with throw_away_namespace(kube) as place:
        asked = ("--account", f"{home}/worker")
        roles = printed(BROKER, "--all-namespaces", *asked, HELMBROKER_INSTANCE_NAMESPACE=place)
        beside = uses(roles) - uses(printed(BROKER, "--namespace", place, *asked))
        with (
            given(kube, roles, home),
            broker(kube, tmp_path, overrides=overrides, environment=environment, namespace=place) as running,
        ):
            instance = running.platform.instance("memcached", "small")
            end = instance.provision()
            assert (end.state, "it asks 1000 CPU" in end.description) == ("failed", True), end
            assert instance.delete().state == "succeeded"
    found = heard(home, "worker")
    assert found.refused == set()
    assert beside - found.used <= {NODE}


def _life(running: Broker, addon: str) -> None:
    """From the first request to the last one, its administrator's password replaced in between."""
    instance = running.platform.instance(addon, "small")
    end = instance.provision()
    assert end.state == "succeeded", end
    first, second = instance.binding(), instance.binding()
    assert first.bind().state == "succeeded"
    _rotated(second, first)
    assert first.unbind().state == "succeeded"
    update = instance.update(parameters=document(ADDONS / addon / "contract.yaml")["update"])
    assert update.state == "succeeded", update
    assert instance.delete().state == "succeeded"
    await_nothing(running.namespace, running.release(instance.id).name)


def _rotated(new: Binding, old: Binding) -> None:
    body = {**new.instance.ids, "predecessor_binding_id": old.id}
    answer = new.instance.platform.expect(202, "PUT", new.path, body, accepts_incomplete="true")
    end = new.instance.follow(str(answer["operation"]), new.path)
    assert end.state == "succeeded", end


def _lost_and_mended(running: Broker, worker: Path) -> None:
    """Somebody scales a server away, and the database is lost: both come back."""
    instance = running.platform.instance("redis", "small")
    assert instance.provision().state == "succeeded"
    binding = instance.binding()
    assert binding.bind().state == "succeeded"
    name = running.release(instance.id).name
    shell("kubectl", "scale", f"statefulset/{name}", "--replicas=0", "--namespace", running.namespace)
    repaired = operate(running, "doctor", "--repair", "--yes", KUBECONFIG=str(worker))
    assert repaired.output.count("is as it is recorded") == 1, repaired
    delivered = binding.credentials()
    stop(running)
    for file in running.data_dir.glob("helmbroker.db*"):
        file.unlink()
    said = operate(running, "rebuild", KUBECONFIG=str(worker))
    assert (said.status, said.output.count("restored ")) == (0, 2), said
    with started_again(running, KUBECONFIG=str(worker)):
        assert binding.credentials() == delivered
        assert instance.delete().state == "succeeded"


def _app(kube: KubeClient, running: Broker, home: str, app: str, folder: Path) -> None:
    """An app with process types of all kinds, bound; then a service with which it does not run."""
    for workload in (process(app, "web"), stateful(app, "store"), nightly(app, "report")):
        kube.create(workload)
    eventually(lambda: len(serving(kube, app)) == 2 or None, within_s=120)
    user = service_account(kube, home, "user", folder / "user")
    account = service_account(kube, home, "bridge", folder / "account")
    settings = {"HELMBROKER_BRIDGE_PLATFORM": "kubernetes", "HELMBROKER_BRIDGE_KUBECONFIG": str(account)}
    member = objects(
        "member", [Right(GROUP, RESOURCE, frozenset(VERBS.values()), "a user")], [app], Account(home, "user"), ()
    )
    with given(kube, member, home), bridge(folder, running, environment=settings, token=token_in(user)) as platform:
        cache = Resource(platform, app, "cache")
        cache.create("redis:small")
        assert cache.follow("status")["status"] == "Ready"
        cache.bind()
        assert cache.follow("binding")["binding"] == "Ready"
        cache.rotate()
        assert cache.follow("binding")["binding"] == "Ready"
        _broken(platform, app)
        cache.unbind()
        assert cache.follow("binding")["binding"] is None
        cache.destroy()
        eventually(lambda: platform.ask("GET", cache.path).status_code == 404 or None, within_s=END_S)


def _broken(platform: Bridge, app: str) -> None:
    """Pods end as soon as they see it, and the app goes back."""
    bad = Resource(platform, app, "bad")
    platform.expect(
        "POST",
        f"/apps/{app}/resources/",
        {"name": "bad", "plan": "external:credentials", "options": {"break": "it"}},
    )
    assert bad.follow("status")["status"] == "Ready"
    platform.expect("PATCH", f"{bad.path}binding/", {"bind_action": "bind", "env": {"prefix": ""}})
    shown = bad.follow("binding")
    assert "refused by" in shown["message"], shown
    bad.destroy()
