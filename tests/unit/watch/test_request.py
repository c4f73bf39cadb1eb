"""The status of a ServiceBinding: what is told, and when it changes."""

from __future__ import annotations

from helmbroker.controller_bridge.watch.request import Request, status
from tests.fakes.kube_fields import merge_patch
from tests.unit.watch.objects import binding

THEN, NOW = "2026-01-02T00:00:00Z", "2026-01-02T00:05:00Z"


def test_a_condition_keeps_its_time_until_it_turns() -> None:
    obj = binding()
    obj["metadata"]["generation"] = 3
    first = status(obj, None, {"Ready": ("False", "WorkloadNotFound", "no web")}, THEN)
    assert first is not None
    assert (first["observedGeneration"], first["binding"]) == (3, None)
    obj["status"] = merge_patch({}, first)
    assert status(obj, None, {"Ready": ("False", "WorkloadNotFound", "no web")}, NOW) is None
    other = status(obj, None, {"Ready": ("False", "InvalidSpec", "no name")}, NOW)
    turned = status(obj, "db", {"Ready": ("True", "Projected", "")}, NOW)
    assert other is not None
    assert turned is not None
    assert [each["lastTransitionTime"] for each in (*other["conditions"], *turned["conditions"])] == [THEN, NOW]
    assert turned["binding"] == {"name": "db"}


def test_conditions_of_others_stay_and_long_texts_are_cut() -> None:
    obj = binding()
    theirs = {"type": "Theirs", "status": "True", "reason": "x", "message": "", "lastTransitionTime": THEN}
    obj["status"] = {"conditions": [theirs]}
    patch = status(obj, "db", {"Ready": ("False", "X", "x" * 40_000)}, NOW)
    assert patch is not None
    assert patch["conditions"][0] == theirs
    assert len(patch["conditions"][1]["message"]) <= 32_768


def test_a_list_of_no_containers_is_none() -> None:
    workload = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "containers": []}
    assert Request.read(binding(workload=workload)).containers is None
