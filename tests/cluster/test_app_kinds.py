"""Process types of every kind on real pods: adopted without a restart, given releases, put right after a person."""

from __future__ import annotations

import pytest

from helmbroker.controller_bridge.apps.port import Broken, ConfigChange, Healthy
from helmbroker.kubeapi.client import KubeClient
from tests.cluster.live_shop import Shop
from tests.cluster.shop import environments, nightly, process, said_by_job, stateful

pytestmark = pytest.mark.cluster

GREETING = {"GREETING": "hello"}
_ENDS = 'echo "$GREETING" > /dev/termination-log'


@pytest.fixture
def shop(kube: KubeClient, namespace: str) -> Shop:
    """A Deployment with one pod, a StatefulSet with two, and a CronJob, of which the bridge knows nothing."""
    kube.create(process(namespace, "web"))
    kube.create(stateful(namespace, "store", replicas=2))
    kube.create(nightly(namespace, "report", command=["/bin/sh", "-c", _ENDS]))
    found = Shop(kube, namespace)
    found.until_serving(3)
    return found


def of_store(shop: Shop) -> dict[str, str]:
    pods = shop.kube.list("Pod", shop.namespace, labels={"process": "store"})
    return {pod["metadata"]["name"]: pod["metadata"]["uid"] for pod in pods}


def test_adopted_given_a_release_edited_by_hand_and_put_right(shop: Shop) -> None:
    kinds = ("Deployment", "StatefulSet", "CronJob")
    before = shop.pods(), [shop.kube.list(kind, shop.namespace)[0]["spec"] for kind in kinds]
    nothing = ConfigChange({"test": None})
    asked = {"author": "ann", "summary": "adopt", "key": "adopt"}
    assert shop.apps.change_config(shop.namespace, nothing, **asked) is None
    assert [release.version for release in shop.apps.releases(shop.namespace)] == [1]
    assert (shop.pods(), [shop.kube.list(kind, shop.namespace)[0]["spec"] for kind in kinds]) == before

    assert shop.out("bind", **GREETING) == 2
    assert environments(shop.kube, shop.namespace) == [GREETING] * 3
    assert said_by_job(shop.kube, shop.namespace, "shop-report", "report-1") == "hello"

    containers = process(shop.namespace, "web")["spec"]["template"]["spec"]["containers"]
    edited = {"spec": {"template": {"spec": {"containers": containers}}}}
    shop.kube.patch("Deployment", shop.namespace, "shop-web", edited)
    drift = shop.apps.releases(shop.namespace)[0].drift
    assert len(drift) == 1
    assert "shop-web lacks the environment of v2" in drift[0]
    stores = of_store(shop)
    again = shop.apps.rollback(shop.namespace, 2, author="ann", key="again")
    assert shop.verdict(again) == Healthy()
    shop.apps.settle(shop.namespace, again)
    assert shop.apps.releases(shop.namespace)[0].drift == ()
    assert environments(shop.kube, shop.namespace) == [GREETING] * 3
    assert of_store(shop) == stores


def test_a_stateful_set_comes_back_from_a_broken_release(kube: KubeClient, namespace: str) -> None:
    kube.create(stateful(namespace, "store", replicas=2))
    shop = Shop(kube, namespace)
    shop.until_serving(2)
    shop.out("bind", **GREETING)
    first = of_store(shop)["shop-store-0"]
    bad = shop.change("break", BREAK="canary-value")
    lost = shop.verdict(bad)
    assert isinstance(lost, Broken)
    assert "container store of pod shop-store-1" in lost.reason
    assert "canary" not in lost.reason
    shop.recovered(bad, lost)
    assert environments(kube, namespace) == [GREETING] * 2
    assert of_store(shop)["shop-store-0"] == first
