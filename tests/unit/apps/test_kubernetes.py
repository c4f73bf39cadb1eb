"""The Kubernetes adapter beyond its port's contract: foreign and changed objects, sweeping, what is told."""

from __future__ import annotations

import base64
import json
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
    Healthy,
)
from helmbroker.kubeapi.errors import Forbidden, Unauthorized, Unreachable
from tests.cluster.shop import OTHER_IMAGE, environments, image_change, process
from tests.fakes.kube import FakeKube
from tests.unit.apps.play_shop import APP, CACHE, DATABASE, Shop


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
    with pytest.raises(
        CannotRelease, match="Deployment shop-web and Deployment twin of app shop both have process type web"
    ):
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
