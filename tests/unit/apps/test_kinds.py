"""StatefulSets and CronJobs as process types."""

from __future__ import annotations

import pytest

from helmbroker.controller_bridge.apps.names import RELEASE
from helmbroker.controller_bridge.apps.port import Broken, Healthy, Rolling
from helmbroker.kubeapi.port import Obj
from tests.cluster.shop import environments, nightly, stateful
from tests.unit.apps.play_shop import APP, CACHE, DATABASE, Shop, interrupted


@pytest.fixture
def shop(shop: Shop) -> Shop:
    """With a StatefulSet `store` of two pods and a CronJob `report`."""
    shop.kube.create(stateful(APP, "store", replicas=2))
    shop.kube.create(nightly(APP, "report"))
    shop.pass_time()
    return shop


def store_pods(shop: Shop) -> dict[str, str]:
    pods = shop.kube.list("Pod", APP, labels={"process": "store"})
    return {pod["metadata"]["name"]: pod["metadata"]["uid"] for pod in pods}


def job(shop: Shop, name: str) -> None:
    """One that the CronJob makes now."""
    found = shop.kube.get("CronJob", APP, "shop-report")
    assert found is not None
    owner = {"apiVersion": "batch/v1", "kind": "CronJob", "name": "shop-report", "uid": found["metadata"]["uid"]}
    metadata = {"name": name, "namespace": APP, "ownerReferences": [{**owner, "controller": True}]}
    spec: Obj = found["spec"]["jobTemplate"]["spec"]
    shop.kube.create({"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": spec})


def test_every_kind_gets_the_release(shop: Shop) -> None:
    shop.out("bind-1", addon_db=DATABASE)
    assert environments(shop.kube, APP) == [DATABASE] * 6
    found = shop.kube.get("CronJob", APP, "shop-report")
    assert found is not None
    pod = found["spec"]["jobTemplate"]["spec"]["template"]
    assert pod["spec"]["containers"][0]["envFrom"] == [{"secretRef": {"name": "app-env-v2"}}]
    assert pod["metadata"]["annotations"] == {RELEASE: "2"}
    assert sorted(shop.apps.releases(APP)[0].images) == ["report", "store", "web", "worker"]
    assert [release.drift for release in shop.apps.releases(APP)] == [(), ()]


def test_a_stateful_set_goes_pod_by_pod_and_says_so(shop: Shop) -> None:
    shop.change("bind-1", addon_db=DATABASE)
    told = set()
    while isinstance(seen := shop.apps.rollout(APP, 2), Rolling):
        told.add(seen.reason)
        shop.play.step(APP)
    assert any("process type store: 1 of 2 pods are ready" in reason for reason in told), told


def test_what_others_hold_back_is_let_go(shop: Shop) -> None:
    held = {"updateStrategy": {"type": "OnDelete"}}
    shop.kube.patch("StatefulSet", APP, "shop-store", {"spec": held})
    shop.out("bind-1", addon_db=DATABASE)
    found = shop.kube.get("StatefulSet", APP, "shop-store")
    assert found is not None
    assert found["spec"]["updateStrategy"] == {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}


def test_a_broken_stateful_set_comes_back(shop: Shop) -> None:
    """Its controller would wait for the broken pod for ever, even on the way back."""
    shop.out("bind-1", addon_db=DATABASE)
    before = store_pods(shop)
    shop.kube.patch("Deployment", APP, "shop-web", {"spec": {"paused": True}})
    shop.kube.patch("Deployment", APP, "shop-worker", {"spec": {"paused": True}})
    shop.change("bind-2", addon_bad={"BREAK": "it"})
    lost = shop.verdict(3)
    assert isinstance(lost, Broken)
    assert "process type store: container store of pod shop-store-1 ended with exit code 3" in lost.reason
    for name in ("shop-web", "shop-worker"):
        shop.kube.patch("Deployment", APP, name, {"spec": {"paused": None}})

    back = shop.apps.recover(APP, 3, reason=lost.reason, key="back")
    assert isinstance(shop.apps.rollout(APP, back), Rolling)
    shop.play.step(APP)
    for died in (shop.fork(), *interrupted(shop, lambda died: died.apps.rollout(APP, back))):
        assert died.verdict(back) == Healthy()
        assert environments(died.kube, APP) == [DATABASE] * 6
        assert store_pods(died)["shop-store-0"] == before["shop-store-0"]


def test_pods_that_only_wanted_the_config_are_not_waited_for(shop: Shop) -> None:
    broken = {"name": "BREAK", "value": "it"}
    shop.kube.delete("StatefulSet", APP, "shop-store")
    shop.kube.create(stateful(APP, "store", replicas=2, env=[broken]))
    shop.pass_time()
    containers = stateful(APP, "store")["spec"]["template"]["spec"]["containers"]
    shop.kube.patch("StatefulSet", APP, "shop-store", {"spec": {"template": {"spec": {"containers": containers}}}})
    shop.pass_time()
    assert len(environments(shop.kube, APP)) == 4
    shop.out("bind-1", addon_db=DATABASE)
    assert environments(shop.kube, APP) == [DATABASE] * 6


def test_a_job_that_began_before_is_waited_for(shop: Shop) -> None:
    shop.out("bind-1", addon_db=DATABASE)
    job(shop, "shop-report-1")
    shop.change("bind-2", addon_cache=CACHE)
    job(shop, "shop-report-2")
    shop.pass_time(30)
    waits = shop.apps.rollout(APP, 3)
    assert waits == Rolling("process type report: Job shop-report-1 of the release before still runs")
    shop.kube.set_status("Job", APP, "shop-report-1", {"conditions": [{"type": "Failed", "status": "True"}]})
    assert shop.apps.rollout(APP, 3) == Healthy()
    shop.apps.settle(APP, 3)
    assert shop.secrets("app-env-") == ["app-env-v3"]


def test_the_environment_of_a_job_that_goes_on_is_kept(shop: Shop) -> None:
    shop.out("bind-1", addon_db=DATABASE)
    job(shop, "shop-report-1")
    shop.change("bind-2", addon_cache=CACHE)
    shop.apps.settle(APP, 3)
    assert shop.secrets("app-env-") == ["app-env-v2", "app-env-v3"]
