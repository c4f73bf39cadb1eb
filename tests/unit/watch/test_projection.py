"""Workload projection: what is put into a workload, and that nothing else is touched."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from helmbroker.controller_bridge.watch.mapping import WorkloadMapping
from helmbroker.controller_bridge.watch.projection import (
    CannotProject,
    Projection,
    merge_patch,
    note,
    project,
    unproject,
)
from helmbroker.kubeapi.port import Obj
from tests.fakes import kube_fields
from tests.unit.watch.objects import deployment, pod

DEFAULT = WorkloadMapping.read({})
DB = Projection("u-1", "orders", "db-secret", {}, {})
QUEUE = Projection("u-2", "queue", "db-secret", {}, {"QUEUE_HOST": "host"})
ROOT = {"name": "SERVICE_BINDING_ROOT", "value": "/bindings"}
MODE = {"name": "MODE", "value": "fast"}


def web(workload: Obj) -> Obj:
    container: Obj = pod(workload)["containers"][0]
    return container


def test_the_secret_is_mounted_below_the_root() -> None:
    after = project(deployment(), DB, DEFAULT)
    (volume,) = pod(after)["volumes"]
    secret = {"secret": {"name": "db-secret"}}
    assert volume == {"name": "servicebinding-u-1", "projected": {"defaultMode": 420, "sources": [secret]}}
    mount = {"name": "servicebinding-u-1", "mountPath": "/bindings/orders", "readOnly": True}
    assert web(after)["volumeMounts"] == [mount]
    assert web(after)["env"] == [MODE, ROOT]


def test_a_root_that_is_there_is_taken_and_stays() -> None:
    own = {"name": "SERVICE_BINDING_ROOT", "value": "/etc/mine/"}
    before = deployment(containers=[{"name": "web", "env": [own]}])
    after = project(before, DB, DEFAULT)
    assert web(after)["env"] == [own]
    assert web(after)["volumeMounts"][0]["mountPath"] == "/etc/mine/orders"


@pytest.mark.parametrize("root", [{"value": "$(HOME)/b"}, {"value": "relative"}, {"valueFrom": {}}, {}])
def test_a_root_that_is_no_plain_path_is_refused(root: Obj) -> None:
    before = deployment(containers=[{"name": "web", "env": [{"name": "SERVICE_BINDING_ROOT", **root}]}])
    with pytest.raises(CannotProject, match="no plain absolute path"):
        project(before, DB, DEFAULT)


def test_entries_become_variables() -> None:
    after = project(deployment(), replace(DB, env={"DB_HOST": "host"}), DEFAULT)
    source = {"secretKeyRef": {"name": "db-secret", "key": "host"}}
    assert web(after)["env"] == [MODE, ROOT, {"name": "DB_HOST", "valueFrom": source}]


def test_type_and_provider_lie_over_those_of_the_secret() -> None:
    wanted = replace(DB, overrides={"type": "mysql", "provider": "us"}, env={"DB_TYPE": "type", "DB_HOST": "host"})
    after = project(deployment(), wanted, DEFAULT)
    annotations = after["spec"]["template"]["metadata"]["annotations"]
    assert annotations == {"helmbroker.io/type-u-1": "mysql", "helmbroker.io/provider-u-1": "us"}
    reference = {"apiVersion": "v1", "fieldPath": "metadata.annotations['helmbroker.io/type-u-1']"}
    sources = pod(after)["volumes"][0]["projected"]["sources"]
    assert sources[0] == {"secret": {"name": "db-secret"}}
    assert {"downwardAPI": {"items": [{"path": "type", "fieldRef": reference}]}} in sources[1:]
    variables = {each["name"]: each.get("valueFrom") for each in web(after)["env"]}
    assert variables["DB_TYPE"] == {"fieldRef": reference}
    assert variables["DB_HOST"] == {"secretKeyRef": {"name": "db-secret", "key": "host"}}
    assert unproject(after, "u-1")["spec"]["template"]["metadata"] == deployment()["spec"]["template"]["metadata"]


def test_containers_by_name_and_init_containers_too() -> None:
    before = deployment(initContainers=[{"name": "migrate"}, {"name": "other"}])
    assert all("volumeMounts" in each for each in pod(project(before, DB, DEFAULT))["initContainers"])
    some = project(before, replace(DB, containers=["migrate", "absent"]), DEFAULT)
    assert "volumeMounts" in pod(some)["initContainers"][0]
    assert pod(some)["initContainers"][1] == {"name": "other"}
    assert web(some) == web(before)
    with pytest.raises(CannotProject, match="no container called absent"):
        project(before, replace(DB, containers=["absent"]), DEFAULT)
    with pytest.raises(CannotProject, match="no container where"):
        project({"metadata": {}, "spec": {}}, DB, DEFAULT)


def test_containers_without_names_are_all_bound() -> None:
    mapping = WorkloadMapping.read({"containers": [{"path": ".spec.template.spec.containers[*]"}]})
    assert "volumeMounts" in web(project(deployment(), replace(DB, containers=["absent"]), mapping))


@pytest.mark.parametrize(
    ("container", "wanted", "sentence"),
    [
        ({"env": [MODE]}, replace(DB, env={"MODE": "host"}), "sets MODE itself"),
        ({"volumeMounts": [{"name": "x", "mountPath": "/bindings/orders"}]}, DB, "something at /bindings/orders"),
    ],
)
def test_what_others_set_is_refused_not_replaced(container: Obj, wanted: Projection, sentence: str) -> None:
    with pytest.raises(CannotProject, match=sentence):
        project(deployment(containers=[{"name": "web", **container}]), wanted, DEFAULT)


def test_again_changes_nothing_whatever_came_in_between() -> None:
    once = project(project(deployment(), replace(DB, env={"A": "a"}), DEFAULT), QUEUE, DEFAULT)
    web(once)["env"].append({"name": "LATE", "value": "1"})
    assert project(once, replace(DB, env={"A": "a"}), DEFAULT) == once
    assert project(once, QUEUE, DEFAULT) == once


def test_taken_back_everything_is_as_before_but_for_the_root() -> None:
    before = deployment(volumes=[{"name": "own", "emptyDir": {}}])
    both = project(project(before, replace(DB, env={"DB_HOST": "host"}), DEFAULT), QUEUE, DEFAULT)
    assert {each["name"] for each in web(unproject(both, "u-1"))["env"]} == {"MODE", ROOT["name"], "QUEUE_HOST"}
    after = unproject(unproject(both, "u-1"), "u-2")
    web(before)["env"].append(ROOT)
    assert after == before
    assert unproject(after, "u-1") == after


def test_another_secret_and_other_variables_replace_the_former() -> None:
    former = project(deployment(), replace(DB, env={"A": "a", "B": "b"}), DEFAULT)
    after = project(former, replace(DB, secret="new", env={"B": "b", "C": "c"}), DEFAULT)
    assert after == project(deployment(), replace(DB, secret="new", env={"B": "b", "C": "c"}), DEFAULT)


def test_a_variable_that_somebody_took_over_stays() -> None:
    former = project(deployment(), replace(DB, env={"DB_HOST": "host"}), DEFAULT)
    web(former)["env"][-1] = {"name": "DB_HOST", "value": "own"}
    assert {"name": "DB_HOST", "value": "own"} in web(unproject(former, "u-1"))["env"]


def test_what_was_mapped_otherwise_is_taken_back_by_the_mapping_of_then() -> None:
    elsewhere = WorkloadMapping.read({"volumes": ".spec.volumes", "containers": [{"path": ".spec.runner"}]})
    runner: dict[str, Any] = {**deployment()}
    runner["spec"] = {**runner["spec"], "runner": {"image": "x"}}
    former = project(runner, DB, elsewhere)
    assert former["spec"]["volumes"]
    after = project(former, DB, DEFAULT)
    assert "volumes" not in after["spec"]
    assert after["spec"]["runner"] == {"image": "x", "env": [ROOT]}
    assert pod(after)["volumes"]


def test_a_note_that_somebody_spoilt_is_none() -> None:
    for text in ("no json", "[]", "{}"):
        assert note({"metadata": {"annotations": {"helmbroker.io/binding-u-1": text}}}, "u-1") is None


def test_the_patch_says_only_what_differs() -> None:
    before = {"a": {"b": 1, "gone": 1}, "list": [1], "same": {"x": 1}, "lost": 1}
    after = {"a": {"b": 2, "new": {"y": 1}}, "list": [1, 2], "same": {"x": 1}}
    patch = merge_patch(before, after)
    assert patch == {"a": {"b": 2, "gone": None, "new": {"y": 1}}, "list": [1, 2], "lost": None}
    assert kube_fields.merge_patch(before, patch) == after
    assert merge_patch(after, after) == {}
