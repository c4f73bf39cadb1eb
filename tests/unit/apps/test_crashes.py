"""The Kubernetes adapter dies at any request, and others write at the same time: nothing is lost or doubled."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from helmbroker.controller_bridge.apps.names import PROCESS_TYPE, RELEASE
from helmbroker.controller_bridge.apps.port import (
    AppsUnavailable,
    Broken,
    Healthy,
    ReleaseState,
)
from tests.cluster.shop import environments
from tests.unit.apps.play_shop import APP, CACHE, DATABASE, Shop, interrupted


def test_a_change_that_dies_anywhere_is_made_once(shop: Shop) -> None:
    def act(shop: Shop) -> None:
        assert shop.change("bind-1", addon_db=DATABASE) == 2

    for died in interrupted(shop, act):
        act(died)
        assert died.verdict(2) == Healthy()
        assert died.secrets("app-release-") == ["app-release-v1", "app-release-v2"]
        assert died.secrets("app-env-") == ["app-env-v2"]
        assert environments(died.kube, APP) == [DATABASE] * 4
        assert died.replica_sets() == 4


def test_a_rollout_finishes_what_a_change_left_undone(shop: Shop) -> None:
    shop.out("bind-1", addon_db=DATABASE)
    begun = 0
    for died in interrupted(shop, lambda died: died.change("bind-2", addon_cache=CACHE)):
        if died.apps.releases(APP)[0].version == 3:
            begun += 1
            assert died.verdict(3) == Healthy()
            assert environments(died.kube, APP) == [{**DATABASE, **CACHE}] * 4
    assert begun > 5


def test_a_recovery_that_dies_anywhere_is_made_once(shop: Shop) -> None:
    def act(shop: Shop) -> None:
        assert shop.apps.recover(APP, 3, reason="it broke", key="back") == 4

    shop.out("bind-1", addon_db=DATABASE)
    shop.change("bind-2", addon_bad={"BREAK": "it"})
    assert isinstance(shop.verdict(3), Broken)
    for died in interrupted(shop, act):
        act(died)
        assert died.verdict(4) == Healthy()
        died.apps.settle(APP, 4)
        states = {release.version: release.state.value for release in died.apps.releases(APP)}
        assert states == {1: "succeeded", 2: "succeeded", 3: "failed", 4: "succeeded"}
        assert environments(died.kube, APP) == [DATABASE] * 4
        assert died.secrets("app-env-") == ["app-env-v2"]


def test_settling_that_dies_anywhere_is_done_once(shop: Shop) -> None:
    def act(shop: Shop) -> None:
        shop.apps.settle(APP, 3)

    shop.out("bind-1", addon_db=DATABASE)
    shop.change("bind-2", addon_cache=CACHE)
    assert shop.verdict(3) == Healthy()
    for died in interrupted(shop, act):
        act(died)
        assert died.apps.releases(APP)[0].state is ReleaseState.SUCCEEDED
        assert died.secrets("app-env-") == ["app-env-v3"]


def test_writers_at_the_same_time_lose_nothing(shop: Shop) -> None:
    numbers: list[int | None] = []

    def bind(index: int) -> None:
        numbers.append(shop.change(f"bind-{index}", **{f"addon_{index}": {f"VAR_{index}": "value"}}))

    threads = [threading.Thread(target=bind, args=(index,)) for index in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(number or 0 for number in numbers) == [2, 3, 4, 5, 6, 7]
    assert shop.verdict(7) == Healthy()
    assert environments(shop.kube, APP) == [{f"VAR_{index}": "value" for index in range(6)}] * 4


def test_a_deployment_that_others_write_to_is_tried_again(shop: Shop) -> None:
    def others(count: int) -> Callable[[str, str, str | None, str | None], None]:
        notes = iter(range(count))

        def hook(verb: str, kind: str, namespace: str | None, name: str | None) -> None:
            if (verb, kind, name) == ("patch", "Deployment", "shop-web") and (
                note := next(notes, None)
            ) is not None:
                shop.kube.before, mine = None, shop.kube.before
                shop.kube.patch("Deployment", APP, "shop-web", {"metadata": {"annotations": {"note": str(note)}}})
                shop.kube.before = mine

        return hook

    shop.kube.before = others(3)
    assert shop.change("bind-1", addon_db=DATABASE) == 2
    shop.kube.before = others(1000)
    with pytest.raises(AppsUnavailable, match="Deployment shop/shop-web changes all the time"):
        shop.change("bind-2", addon_cache=CACHE)


def test_a_deployment_taken_out_of_our_hands_meanwhile_stays(shop: Shop) -> None:
    def taken(verb: str, kind: str, namespace: str | None, name: str | None) -> None:
        if (verb, kind, name) == ("patch", "Deployment", "shop-web"):
            shop.kube.before = None
            shop.kube.patch("Deployment", APP, "shop-web", {"metadata": {"labels": {PROCESS_TYPE: None}}})

    shop.kube.before = taken
    shop.change("bind-1", addon_db=DATABASE)
    assert RELEASE not in (shop.web()["metadata"].get("annotations") or {})
    assert shop.verdict(2) == Healthy()
    assert environments(shop.kube, APP).count(DATABASE) == 2


def test_a_deployment_deleted_meanwhile_is_no_error(shop: Shop) -> None:
    def deleted(verb: str, kind: str, namespace: str | None, name: str | None) -> None:
        if (verb, kind, name) == ("patch", "Deployment", "shop-web"):
            shop.kube.before = None
            shop.kube.delete("Deployment", APP, "shop-web")

    shop.kube.before = deleted
    assert shop.change("bind-1", addon_db=DATABASE) == 2
    assert shop.verdict(2) == Healthy()
