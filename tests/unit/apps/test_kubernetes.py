"""The Kubernetes adapter beyond its port's contract: crashes anywhere, races, foreign objects, sweeping."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from helmbroker.controller_bridge.apps.kubernetes import KubernetesAppReleases
from helmbroker.controller_bridge.apps.names import PROCESS_TYPE, RELEASE
from helmbroker.controller_bridge.apps.port import (
    AppNotFound,
    AppReleaseError,
    AppsUnavailable,
    Broken,
    CannotRelease,
    ConfigChange,
    Healthy,
    ReleaseState,
    Rolling,
    Rollout,
)
from helmbroker.kubeapi.errors import Forbidden, Unauthorized, Unreachable
from helmbroker.kubeapi.port import Obj
from tests.cluster.shop import OTHER_IMAGE, environments, image_change, process
from tests.fakes.kube import FakeKube
from tests.fakes.kube_controllers import PlayController

APP = "shop"
DATABASE = {"DATABASE_URL": "postgres://shop:canary-pw@db/shop"}
CACHE = {"CACHE_URL": "redis://canary-cache"}


class Crashed(Exception):
    """The process died here."""


class Shop:
    """An app on a FakeKube, its controllers, and the adapter."""

    def __init__(self, kube: FakeKube) -> None:
        self.kube = kube
        self.play = PlayController(kube)
        self.apps = KubernetesAppReleases(kube, now=lambda: self.play.now)

    @classmethod
    def running(cls) -> Shop:
        """With process types web and worker, two pods each, that the bridge knows nothing about."""
        shop = cls(FakeKube(APP))
        for kind in ("web", "worker"):
            shop.kube.create(process(APP, kind, replicas=2))
        shop.pass_time()
        return shop

    def fork(self) -> Shop:
        """The same shop, to try from here what may happen."""
        return Shop(self.kube.fork())

    def pass_time(self, steps: int = 12) -> None:
        for _ in range(steps):
            self.play.step(APP)

    def change(self, key: str, **groups: dict[str, str] | None) -> int | None:
        return self.apps.change_config(APP, ConfigChange(groups), author="ann", summary="why", key=key)

    def verdict(self, version: int) -> Rollout:
        for _ in range(60):
            seen = self.apps.rollout(APP, version)
            if not isinstance(seen, Rolling):
                return seen
            self.play.step(APP)
        raise AssertionError(seen)

    def out(self, key: str, **groups: dict[str, str] | None) -> int:
        number = self.change(key, **groups)
        assert number is not None
        assert self.verdict(number) == Healthy()
        self.apps.settle(APP, number)
        return number

    def secrets(self, prefix: str) -> list[str]:
        names = [str(secret["metadata"]["name"]) for secret in self.kube.list("Secret", APP)]
        return sorted(name for name in names if name.startswith(prefix))

    def web(self) -> Obj:
        found = self.kube.get("Deployment", APP, "shop-web")
        assert found is not None
        return found

    def replica_sets(self) -> int:
        return len(self.kube.list("ReplicaSet", APP))

    @contextmanager
    def dying_at(self, call: int, *, after: bool) -> Iterator[None]:
        """The process dies at its n-th request; `after` it took effect, or before."""
        count = 0

        def die(*_: object) -> None:
            nonlocal count
            count += 1
            if count == call:
                raise Crashed

        self.kube.after, self.kube.before = (die, None) if after else (None, die)
        try:
            yield
        finally:
            self.kube.after = self.kube.before = None


@pytest.fixture
def shop() -> Shop:
    return Shop.running()


def interrupted(prepared: Shop, act: Callable[[Shop], object]) -> Iterator[Shop]:
    """For every request of `act`, a shop where the process died right before it, or right after."""
    for after in (False, True):
        for call in range(1, 200):
            shop = prepared.fork()
            try:
                with shop.dying_at(call, after=after):
                    act(shop)
            except Crashed:
                yield shop
            else:
                assert call > 5
                break


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


def test_a_recovery_starts_no_pod_anew(shop: Shop) -> None:
    shop.out("bind-1", addon_db=DATABASE)
    before = {pod["metadata"]["uid"] for pod in shop.kube.list("Pod", APP)}
    shop.change("bind-2", addon_bad={"BREAK": "it"})
    assert isinstance(shop.verdict(3), Broken)
    back = shop.apps.recover(APP, 3, reason="it broke", key="back")
    assert shop.verdict(back) == Healthy()
    assert {pod["metadata"]["uid"] for pod in shop.kube.list("Pod", APP)} == before


def test_repeating_everything_makes_no_new_pods(shop: Shop) -> None:
    shop.out("bind-1", addon_db=DATABASE)
    pods = {pod["metadata"]["uid"] for pod in shop.kube.list("Pod", APP)}
    version = shop.web()["metadata"]["resourceVersion"]
    for _ in range(3):
        assert shop.change("bind-1", addon_db=DATABASE) == 2
        assert shop.apps.rollout(APP, 2) == Healthy()
        shop.apps.settle(APP, 2)
    shop.pass_time()
    assert shop.web()["metadata"]["resourceVersion"] == version
    assert {pod["metadata"]["uid"] for pod in shop.kube.list("Pod", APP)} == pods


def test_only_what_was_handed_over_is_touched(shop: Shop) -> None:
    other = process(APP, "cron")
    del other["metadata"]["labels"][PROCESS_TYPE]
    created = shop.kube.create(other)
    shop.kube.calls.clear()
    shop.out("bind-1", addon_db=DATABASE)
    touched = {
        (kind, name) for verb, kind, _, name in shop.kube.calls if verb in ("patch", "replace", "delete", "create")
    }
    assert {name for kind, name in touched if kind == "Deployment"} == {"shop-web", "shop-worker", "shop-cron"}
    found = shop.kube.get("Deployment", APP, "shop-cron")
    assert found is not None
    assert found["spec"] == created["spec"]  # the play's controller annotates it; the bridge gave it nothing
    assert RELEASE not in found["metadata"]["annotations"]


def test_an_app_without_handed_over_deployments_is_told_how() -> None:
    kube = FakeKube(APP)
    with pytest.raises(AppNotFound, match=r"kubectl -n shop label deployment NAME helmbroker\.io/process-type=web"):
        KubernetesAppReleases(kube).releases(APP)


def test_labels_that_are_not_clear_are_told(shop: Shop) -> None:
    twin = process(APP, "web")
    twin["metadata"]["name"] = "twin"
    shop.kube.create(twin)
    with pytest.raises(CannotRelease, match="Deployments shop-web and twin of app shop both have process type web"):
        shop.change("bind-1", addon_db=DATABASE)
    shop.kube.patch("Deployment", APP, "twin", {"metadata": {"labels": {PROCESS_TYPE: ""}}})
    with pytest.raises(CannotRelease, match="twin has an empty label"):
        shop.change("bind-1", addon_db=DATABASE)
    assert shop.secrets("app-") == []


def test_a_variable_of_the_deployment_itself_is_not_hidden(shop: Shop) -> None:
    shop.kube.create(process(APP, "clock", env=[{"name": "DATABASE_URL", "value": "own"}]))
    with pytest.raises(CannotRelease, match="process type clock sets DATABASE_URL itself"):
        shop.change("bind-1", addon_db=DATABASE)
    assert shop.secrets("app-release-v2") == []


@pytest.mark.parametrize("name", ["app-release-v1", "app-release-v2", "app-env-v2"])
def test_foreign_secrets_are_told_and_stay(shop: Shop, name: str) -> None:
    data = {"theirs": base64.b64encode(b"canary").decode()}
    metadata = {"name": name, "namespace": APP}
    shop.kube.create({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque", "data": data})
    with pytest.raises(CannotRelease, match=f"Secret shop/{name} was not made by the bridge"):
        shop.change("bind-1", addon_db=DATABASE)
    found = shop.kube.get("Secret", APP, name)
    assert found is not None
    assert found["data"] == data
    shop.kube.delete("Secret", APP, name)
    assert shop.change("bind-1", addon_db=DATABASE) == 2
    assert shop.verdict(2) == Healthy()


def test_an_environment_of_another_content_is_told(shop: Shop) -> None:
    shop.out("bind-1", addon_db=DATABASE)
    secret = shop.kube.get("Secret", APP, "app-env-v2")
    assert secret is not None
    shop.kube.delete("Secret", APP, "app-env-v2")
    shop.kube.create({**secret, "data": {"DATABASE_URL": "b3RoZXI="}})
    with pytest.raises(CannotRelease, match="does not hold the environment of v2 as the ledger has it: delete it"):
        shop.apps.rollout(APP, 2)


def test_an_environment_that_was_deleted_is_made_anew(shop: Shop) -> None:
    shop.out("bind-1", addon_db=DATABASE)
    shop.kube.delete("Secret", APP, "app-env-v2")
    assert shop.apps.rollout(APP, 2) == Healthy()
    assert environments(shop.kube, APP) == [DATABASE] * 4


def test_what_the_owner_takes_away_is_put_back(shop: Shop) -> None:
    shop.out("bind-1", addon_db=DATABASE)
    shop.kube.patch("Deployment", APP, "shop-web", image_change("web", OTHER_IMAGE))
    shop.pass_time()
    assert shop.verdict(2) == Healthy()
    assert environments(shop.kube, APP) == [DATABASE] * 4
    assert shop.web()["spec"]["template"]["spec"]["containers"][0]["image"] == OTHER_IMAGE


def test_a_lost_ledger_is_told_and_can_be_begun_anew(shop: Shop) -> None:
    shop.out("bind-1", addon_db=DATABASE)
    for name in shop.secrets("app-"):
        shop.kube.delete("Secret", APP, name)
    with pytest.raises(
        CannotRelease, match=r"ends at v0: restore the ledger, or begin anew with kubectl -n shop annotate"
    ):
        shop.change("bind-2", addon_cache=CACHE)
    for kind in ("web", "worker"):
        shop.kube.patch("Deployment", APP, f"shop-{kind}", {"metadata": {"annotations": {RELEASE: None}}})
    assert shop.change("bind-2", addon_cache=CACHE) == 2
    assert shop.verdict(2) == Healthy()
    assert environments(shop.kube, APP) == [CACHE] * 4


def test_a_deployment_from_elsewhere_is_told(shop: Shop) -> None:
    shop.change("bind-1", addon_db=DATABASE)
    shop.kube.patch("Deployment", APP, "shop-web", {"metadata": {"annotations": {RELEASE: "9"}}})
    seen = shop.apps.rollout(APP, 2)
    assert isinstance(seen, Broken)
    assert "says it has release v9" in seen.reason
    assert "ends at v2" in seen.reason


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


def test_environments_in_use_are_not_swept(shop: Shop) -> None:
    first = shop.out("bind-1", addon_db=DATABASE)
    job = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "console", "namespace": APP},
        "spec": {"containers": [{"name": "sh", "envFrom": [{"secretRef": {"name": f"app-env-v{first}"}}]}]},
    }
    shop.kube.create(job)
    shop.out("bind-2", addon_cache=CACHE)
    assert shop.secrets("app-env-") == ["app-env-v2", "app-env-v3"]
    shop.kube.set_status("Pod", APP, "console", {"phase": "Succeeded"})
    shop.apps.settle(APP, 3)
    assert shop.secrets("app-env-") == ["app-env-v3"]
    assert shop.secrets("app-release-") == ["app-release-v1", "app-release-v2", "app-release-v3"]


def test_environments_of_releases_under_way_and_of_others_are_not_swept(shop: Shop) -> None:
    shop.out("bind-1", addon_db=DATABASE)
    metadata = {"name": "app-env-v1", "namespace": APP}
    shop.kube.create({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque", "data": {}})
    shop.change("bind-2", addon_cache=CACHE)
    shop.apps.settle(APP, 2)
    assert shop.secrets("app-env-") == ["app-env-v1", "app-env-v2", "app-env-v3"]


def test_going_back_to_a_swept_environment_makes_it_anew(shop: Shop) -> None:
    first = shop.out("bind-1", addon_db=DATABASE)
    shop.out("bind-2", addon_cache=CACHE)
    assert shop.secrets("app-env-") == ["app-env-v3"]
    back = shop.apps.rollback(APP, first, author="bob", key="back")
    assert shop.verdict(back) == Healthy()
    shop.apps.settle(APP, back)
    assert environments(shop.kube, APP) == [DATABASE] * 4
    assert shop.secrets("app-env-") == ["app-env-v2"]


def test_a_new_process_type_joins(shop: Shop) -> None:
    shop.out("bind-1", addon_db=DATABASE)
    shop.kube.create(process(APP, "clock"))
    shop.pass_time()
    shop.out("bind-2", addon_cache=CACHE)
    assert environments(shop.kube, APP) == [{**DATABASE, **CACHE}] * 5
    assert [sorted(release.images) for release in shop.apps.releases(APP)] == [
        ["clock", "web", "worker"],
        ["clock", "web", "worker"],
        ["web", "worker"],
        ["web", "worker"],
    ]


def test_a_missing_image_breaks_the_rollout(shop: Shop) -> None:
    shop.out("bind-1", addon_db=DATABASE)
    shop.change("bind-2", addon_cache=CACHE)
    shop.kube.patch("Deployment", APP, "shop-web", image_change("web", "shop:missing"))
    seen = shop.verdict(3)
    assert isinstance(seen, Broken)
    assert "image shop:missing" in seen.reason


@pytest.mark.parametrize(
    ("error", "expected"),
    [(Unreachable, AppsUnavailable), (Unauthorized, AppsUnavailable), (Forbidden, AppReleaseError)],
)
def test_what_the_cluster_refuses_is_told(shop: Shop, error: Any, expected: type[Exception]) -> None:
    def refuse(verb: str, kind: str, namespace: str | None, name: str | None) -> None:
        raise error(f"{verb} {kind}", "the cluster says no")

    shop.kube.before = refuse
    with pytest.raises(expected, match="cannot list Deployment: the cluster says no") as caught:
        shop.apps.releases(APP)
    assert type(caught.value) is expected


def test_values_are_in_the_ledger_and_the_environment_only(shop: Shop) -> None:
    shop.out("bind-1", addon_db=DATABASE, addon_cache=CACHE)
    shop.change("bind-2", addon_bad={"BREAK": "canary-break"})
    seen = shop.verdict(3)
    assert isinstance(seen, Broken)
    assert "$BREAK" in seen.reason
    shop.apps.recover(APP, 3, reason=seen.reason, key="back")
    shown = [seen.reason, repr(shop.apps.releases(APP)), repr(shop.apps)]
    shown += [json.dumps(shop.kube.list(kind, APP)) for kind in ("Deployment", "ReplicaSet")]
    shown += [json.dumps(secret["metadata"]) for secret in shop.kube.list("Secret", APP)]
    assert not [text for text in shown if "canary" in text]
