"""What others change by hand is told, and put back when somebody asks; whoever is not concerned stays as it is."""

from __future__ import annotations

import copy

import pytest

from helmbroker.controller_bridge.apps.kubernetes import KubernetesAppReleases
from helmbroker.controller_bridge.apps.ledger import LedgerStore
from helmbroker.controller_bridge.apps.names import RELEASE
from helmbroker.controller_bridge.apps.port import CannotRelease, ConfigChange, Healthy, ReleaseState
from helmbroker.kubeapi.port import Obj
from tests.cluster.shop import OTHER_IMAGE, environments, image_change, nightly, process, stateful
from tests.unit.apps.play_shop import APP, CACHE, DATABASE, Shop, interrupted

WEB = "process type web: Deployment shop/shop-web"


def drift(shop: Shop) -> tuple[str, ...]:
    return shop.apps.releases(APP)[0].drift


def pods(shop: Shop, kind: str | None = None) -> set[str]:
    labels = {"app": "shop"} if kind is None else {"process": kind}
    return {pod["metadata"]["uid"] for pod in shop.kube.list("Pod", APP, labels=labels)}


def edit(shop: Shop, patch: Obj) -> None:
    """`kubectl edit` of web."""
    shop.kube.patch("Deployment", APP, "shop-web", patch)
    shop.pass_time()


def test_adoption_restarts_nothing(shop: Shop) -> None:
    shop.kube.create(stateful(APP, "store", replicas=2))
    shop.kube.create(nightly(APP, "report"))
    shop.pass_time()
    kinds = ("Deployment", "StatefulSet", "CronJob")
    before = pods(shop), [shop.kube.list(kind, APP) for kind in kinds]
    assert shop.change("unbind-0", addon_db=None) is None
    assert [release.version for release in shop.apps.releases(APP)] == [1]
    shop.pass_time()
    assert (pods(shop), [shop.kube.list(kind, APP) for kind in kinds]) == before
    assert drift(shop) == ()


def test_only_who_gets_something_else_restarts(shop: Shop) -> None:
    shop.out("bind-1", addon_db=DATABASE)
    web, worker = pods(shop, "web"), pods(shop, "worker")
    change = ConfigChange({"queue": CACHE}, {"queue": ["worker"]})
    assert shop.apps.change_config(APP, change, author="ann", summary="why", key="2") == 3
    assert shop.verdict(3) == Healthy()
    shop.apps.settle(APP, 3)
    assert pods(shop, "web") == web
    assert not pods(shop, "worker") & worker
    assert len(shop.secrets("app-env-")) == 2
    shop.apps.rollback(APP, 2, author="bob", key="back")
    assert shop.verdict(4) == Healthy()
    shop.apps.settle(APP, 4)
    assert pods(shop, "web") == web
    assert environments(shop.kube, APP) == [DATABASE] * 4
    assert shop.secrets("app-env-") == ["app-env-v2"]


def test_an_environment_taken_away_is_told_and_given_again(shop: Shop) -> None:
    shop.out("bind-1", addon_db=DATABASE)
    assert drift(shop) == ()
    edit(shop, image_change("web", shop.web()["spec"]["template"]["spec"]["containers"][0]["image"]))
    lacks = "lacks the environment of v2: its annotation or its envFrom was changed"
    assert drift(shop) == (f"{WEB} {lacks}",)
    assert shop.apps.rollback(APP, 2, author="bob", key="again") == 3
    assert shop.verdict(3) == Healthy()
    shop.apps.settle(APP, 3)
    assert (drift(shop), environments(shop.kube, APP)) == ((), [DATABASE] * 4)
    with pytest.raises(CannotRelease, match="has v3 already"):
        shop.apps.rollback(APP, 3, author="bob", key="once more")


def test_giving_it_again_may_die_anywhere(shop: Shop) -> None:
    shop.out("bind-1", addon_db=DATABASE)
    edit(shop, image_change("web", OTHER_IMAGE))
    for died in interrupted(shop, lambda died: died.apps.rollback(APP, 2, author="bob", key="again")):
        version = died.apps.rollback(APP, 2, author="bob", key="again")
        assert died.verdict(version) == Healthy()
        died.apps.settle(APP, version)
        assert drift(died) == ()
        assert environments(died.kube, APP) == [DATABASE] * 4
        assert died.web()["spec"]["template"]["spec"]["containers"][0]["image"] != OTHER_IMAGE


def test_every_difference_is_told(shop: Shop) -> None:
    shop.out("bind-1", addon_db=DATABASE)
    container = copy.deepcopy(shop.web()["spec"]["template"]["spec"]["containers"][0])
    image = container["image"]
    edit(shop, {"spec": {"template": {"spec": {"containers": [{**container, "image": "shop:9"}]}}}})
    assert drift(shop) == (f"{WEB} has image shop:9, v2 has {image}",)
    edit(shop, {"spec": {"template": {"spec": {"containers": [container]}}, "strategy": {"type": "Recreate"}}})
    otherwise = "replaces its pods in another way: its strategy or minReadySeconds was changed"
    assert drift(shop) == (f"{WEB} {otherwise}",)
    edit(shop, {"metadata": {"annotations": {RELEASE: None}}})
    shop.kube.delete("Deployment", APP, "shop-worker")
    shop.kube.create(process(APP, "clock"))
    assert drift(shop) == (
        "process type clock: Deployment shop/shop-clock lacks the environment of v2: it has joined since",
        "process type worker: nothing in the namespace has this label any more",
    )


def test_while_a_release_goes_out_there_is_no_drift(shop: Shop) -> None:
    shop.change("bind-1", addon_db=DATABASE)
    assert drift(shop) == ()
    assert shop.apps.releases(APP)[0].state is ReleaseState.PENDING


def test_old_releases_are_forgotten(shop: Shop) -> None:
    shop.apps = KubernetesAppReleases(shop.kube, now=lambda: shop.play.now, history=3)
    for number in range(2, 7):
        shop.out(f"bind-{number}", addon_db={"NUMBER": str(number)})
    assert [release.version for release in shop.apps.releases(APP)] == [6, 5, 4]
    with pytest.raises(CannotRelease, match="app shop has no release v2: it has v4 to v6"):
        shop.apps.rollback(APP, 2, author="bob", key="back")
    for number in range(7, 11):
        shop.change(f"bad-{number}", addon_db={"BREAK": str(number)})
        LedgerStore(shop.kube).mark(APP, number, ReleaseState.FAILED, "broken")
    shop.apps.settle(APP, 6)
    assert [release.version for release in shop.apps.releases(APP)] == [10, 9, 8, 6]


def test_forgetting_may_die_anywhere(shop: Shop) -> None:
    for number in range(2, 5):
        shop.out(f"bind-{number}", addon_db={"NUMBER": str(number)})

    def act(died: Shop) -> None:
        few = KubernetesAppReleases(died.kube, now=lambda: died.play.now, history=2)
        few.settle(APP, 4)

    for died in interrupted(shop, act):
        act(died)
        assert died.secrets("app-release-") == ["app-release-v3", "app-release-v4"]
        assert died.secrets("app-env-") == ["app-env-v4"]
