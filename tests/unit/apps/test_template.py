"""What a release changes in a Deployment, and what it leaves alone."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from helmbroker.controller_bridge.apps.names import RELEASE
from helmbroker.controller_bridge.apps.template import (
    MIN_READY_S,
    Wanted,
    image_of,
    own_variables,
    release_patch,
    secrets_used,
)
from helmbroker.controller_bridge.apps.workloads import process_type
from helmbroker.kubeapi.port import Obj
from tests.cluster.shop import nightly, process, stateful
from tests.fakes.kube_fields import merge_patch

V2 = Wanted(2, 2, "app-env-v2")
OURS = {"secretRef": {"name": "app-env-v2"}}


def deployment(**container: Any) -> Obj:
    made = process("shop", "web", image="shop:1", **container)
    made["spec"]["strategy"] = {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"},
    }
    return made


def given(before: Obj, wanted: Wanted) -> Obj:
    """The Deployment after the patch; a second patch must find nothing to do."""
    patch = release_patch(before, wanted)
    assert patch is not None
    after: Obj = merge_patch(before, patch)
    assert release_patch(after, wanted) is None
    return after


def containers(obj: Obj, part: str = "containers") -> list[Obj]:
    found: list[Obj] = obj["spec"]["template"]["spec"][part]
    return found


def test_a_release_is_given_to_the_deployment_and_its_pods() -> None:
    after = given(deployment(), V2)
    assert after["metadata"]["annotations"] == {RELEASE: "2"}
    assert after["spec"]["template"]["metadata"]["annotations"] == {RELEASE: "2"}
    assert containers(after)[0]["envFrom"] == [OURS]
    assert containers(after)[0]["image"] == "shop:1"


def test_entries_of_the_owner_stay_and_ours_is_replaced() -> None:
    own: list[Obj] = [{"configMapRef": {"name": "settings"}}, {"prefix": "X_", "secretRef": {"name": "other"}}]
    before = deployment(
        envFrom=[own[0], {"secretRef": {"name": "app-env-v1"}}, own[1]], env=[{"name": "A", "value": "1"}]
    )
    after = given(before, V2)
    assert containers(after)[0]["envFrom"] == [*own, OURS]
    assert containers(after)[0]["env"] == [{"name": "A", "value": "1"}]


def test_without_environment_our_entry_goes() -> None:
    before = given(deployment(), V2)
    after = given(before, Wanted(3, 3, None))
    assert "envFrom" not in containers(after)[0]
    assert after["spec"]["template"]["metadata"]["annotations"] == {RELEASE: "3"}


def test_going_back_makes_the_very_same_pods() -> None:
    before = deployment(envFrom=[{"configMapRef": {"name": "settings"}}])
    second = given(before, V2)
    third = given(second, Wanted(3, 3, "app-env-v3", "shop:2"))
    fourth = given(third, Wanted(4, 2, "app-env-v2", "shop:1"))
    assert fourth["spec"]["template"] == second["spec"]["template"]
    assert fourth["metadata"]["annotations"] == {RELEASE: "4"}
    fifth = given(fourth, Wanted(5, None, None))
    template = copy.deepcopy(fifth["spec"]["template"])
    assert template["metadata"].pop("annotations") == {}
    assert template == before["spec"]["template"]


def test_sidecars_get_nothing_and_what_runs_the_build_gets_all() -> None:
    before = deployment()
    pod = before["spec"]["template"]["spec"]
    pod["containers"].append({"name": "proxy", "image": "proxy:1"})
    pod["initContainers"] = [{"name": "migrate", "image": "shop:1"}, {"name": "wait", "image": "tools:1"}]
    after = given(before, Wanted(2, 2, "app-env-v2", "shop:0"))
    assert [(each["image"], each.get("envFrom")) for each in containers(after)] == [
        ("shop:0", [OURS]),
        ("proxy:1", None),
    ]
    assert [(each["image"], each.get("envFrom")) for each in containers(after, "initContainers")] == [
        ("shop:0", [OURS]),
        ("tools:1", None),
    ]


def test_the_default_container_is_the_app() -> None:
    before = deployment()
    pod = before["spec"]["template"]
    pod["spec"]["containers"].insert(
        0, {"name": "proxy", "image": "proxy:1", "env": [{"name": "PROXY", "value": "1"}]}
    )
    pod["metadata"]["annotations"] = {"kubectl.kubernetes.io/default-container": "web"}
    pod["spec"]["containers"][1]["env"] = [{"name": "OWN", "value": "1"}]
    assert image_of(before) == "shop:1"
    assert list(own_variables(before)) == ["OWN"]
    assert [each.get("envFrom") for each in containers(given(before, V2))] == [None, [OURS]]


def test_a_newer_release_is_left_alone() -> None:
    after = given(deployment(), Wanted(7, 7, "app-env-v7"))
    assert release_patch(after, Wanted(6, 6, "app-env-v6", "shop:0")) is None


def test_a_build_deployed_after_the_release_stays() -> None:
    after = given(deployment(), Wanted(4, 2, "app-env-v2", "shop:0"))
    containers(after)[0]["image"] = "shop:9"
    assert release_patch(after, Wanted(4, 2, "app-env-v2", "shop:0")) is None


def test_an_environment_that_others_took_away_is_put_back() -> None:
    after = given(deployment(), V2)
    del containers(after)[0]["envFrom"]
    assert containers(given(after, V2))[0]["envFrom"] == [OURS]


@pytest.mark.parametrize(
    ("strategy", "surge"),
    [
        (None, "25%"),
        ({"type": "Recreate"}, "25%"),
        ({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}}, 1),
        ({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "0%", "maxUnavailable": "10%"}}, 1),
        ({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 3, "maxUnavailable": 0}}, 3),
    ],
)
def test_no_pod_goes_before_its_successor_serves(strategy: Obj | None, surge: object) -> None:
    before = deployment()
    before["spec"].pop("strategy")
    if strategy is not None:
        before["spec"]["strategy"] = strategy
    rolling = {"maxUnavailable": 0, "maxSurge": surge}
    assert given(before, V2)["spec"]["strategy"] == {"type": "RollingUpdate", "rollingUpdate": rolling}


def test_pods_without_a_probe_must_run_a_while() -> None:
    before = deployment()
    assert "minReadySeconds" not in given(before, V2)["spec"]
    del containers(before)[0]["readinessProbe"]
    assert given(before, V2)["spec"]["minReadySeconds"] == MIN_READY_S
    before["spec"]["minReadySeconds"] = MIN_READY_S + 1
    assert given(before, V2)["spec"]["minReadySeconds"] == MIN_READY_S + 1


@pytest.mark.parametrize(
    "strategy",
    [
        {"type": "OnDelete"},
        {"type": "RollingUpdate", "rollingUpdate": {"partition": 2}},
    ],
)
def test_all_pods_of_a_stateful_set_are_replaced(strategy: Obj) -> None:
    before = stateful("shop", "store")
    assert "updateStrategy" not in given(before, V2)["spec"]
    before["spec"]["updateStrategy"] = strategy
    after = given(before, V2)
    assert after["spec"]["updateStrategy"] == {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}
    assert "strategy" not in after["spec"]


def test_a_cron_job_has_its_pods_in_jobs() -> None:
    before = nightly("shop", "report", image="shop:1", env=[{"name": "OWN", "value": "1"}])
    assert (image_of(before), list(own_variables(before))) == ("shop:1", ["OWN"])
    after = given(before, Wanted(2, 2, "app-env-v2", "shop:2"))
    template = after["spec"]["jobTemplate"]["spec"]["template"]
    assert template["metadata"]["annotations"] == {RELEASE: "2"}
    assert (template["spec"]["containers"][0]["envFrom"], image_of(after)) == ([OURS], "shop:2")
    assert after["spec"].keys() == before["spec"].keys()


def test_the_process_type_is_the_label() -> None:
    assert process_type(deployment()) == "web"
    assert process_type({"metadata": {}}) == ""


def test_every_use_of_a_secret_counts() -> None:
    spec = {
        "initContainers": [{"envFrom": [{"secretRef": {"name": "init"}}]}],
        "containers": [
            {
                "envFrom": [{"secretRef": {"name": "all"}}, {"configMapRef": {"name": "no"}}],
                "env": [
                    {"name": "A", "valueFrom": {"secretKeyRef": {"name": "one", "key": "a"}}},
                    {"name": "B", "value": "no"},
                ],
            }
        ],
        "volumes": [
            {"name": "v", "secret": {"secretName": "mounted"}},
            {
                "name": "p",
                "projected": {"sources": [{"secret": {"name": "projected"}}, {"configMap": {"name": "no"}}]},
            },
            {"name": "e", "emptyDir": {}},
        ],
    }
    assert secrets_used(spec) == {"init", "all", "one", "mounted", "projected"}
