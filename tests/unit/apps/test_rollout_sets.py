"""The judgement of StatefulSets, which say less about themselves than Deployments do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from helmbroker.controller_bridge.apps.port import Broken, Healthy, Rolling
from helmbroker.controller_bridge.apps.rollout import PROGRESS_S, QUOTA_PATIENCE_S, Seen, in_the_way, judge
from helmbroker.kubeapi.port import Obj

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
QUOTA = 'create Pod store-1 in StatefulSet store failed error: pods "store-1" is forbidden: exceeded quota: small'


def ago(seconds: float) -> str:
    return (NOW - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def stateful_set(**status: Any) -> Obj:
    full = {"observedGeneration": 3, "updateRevision": "new", "replicas": 2, "updatedReplicas": 2}
    full |= {"readyReplicas": 2, "availableReplicas": 2} | status
    metadata = {"name": "store", "namespace": "shop", "uid": "s", "generation": 3}
    metadata["annotations"] = {"helmbroker.io/app-release": "5"}
    return {"kind": "StatefulSet", "metadata": metadata, "spec": {"replicas": 2}, "status": full}


def pod(name: str, *, revision: str = "new", ready: bool = True, since_s: float = 0, reason: str = "") -> Obj:
    metadata = {"name": name, "uid": f"uid-{name}", "labels": {"controller-revision-hash": revision}}
    owner = {"kind": "StatefulSet", "uid": "s", "controller": True}
    conditions = [
        {"type": "Ready", "status": str(ready)},
        {"type": "PodScheduled", "status": "True", "lastTransitionTime": ago(since_s)},
    ]
    state = {"waiting": {"reason": reason, "message": "no such image"}} if reason else {"running": {}}
    container = {"name": "store", "image": "shop:2", "ready": ready, "state": state}
    status = {"phase": "Running", "conditions": conditions, "containerStatuses": [container]}
    return {"metadata": {**metadata, "ownerReferences": [owner]}, "status": status}


def refusal(since_s: float) -> Obj:
    involved = {"kind": "StatefulSet", "name": "store", "uid": "s"}
    event = {"type": "Warning", "reason": "FailedCreate", "message": QUOTA, "firstTimestamp": ago(since_s)}
    return {**event, "involvedObject": involved}


def seen(*pods: Obj, events: tuple[Obj, ...] = (), **status: Any) -> Seen:
    return Seen({"store": stateful_set(**status)}, (), pods, NOW, events)


def test_all_new_and_ready_is_healthy() -> None:
    assert judge(seen(pod("store-0"), pod("store-1")), 5) == Healthy()


@pytest.mark.parametrize(
    ("status", "told"),
    [
        ({"observedGeneration": 2}, "the cluster has not looked at the change yet"),
        ({"updatedReplicas": 1}, "2 of 2 pods are ready"),
        ({"availableReplicas": 1}, "2 of 2 pods are ready"),
    ],
)
def test_counts_that_are_not_there_yet_are_rolling(status: dict[str, Any], told: str) -> None:
    assert judge(seen(pod("store-0"), pod("store-1"), **status), 5) == Rolling(f"process type store: {told}")


def test_a_pod_of_before_is_waited_for() -> None:
    found = judge(seen(pod("store-0", revision="old"), pod("store-1")), 5)
    assert found == Rolling("process type store: 1 of 2 pods are ready")


def test_refused_pods_are_lost_after_a_while() -> None:
    lost = judge(seen(pod("store-0"), events=(refusal(QUOTA_PATIENCE_S),)), 5)
    assert lost == Broken(f"process type store: pods cannot be made: {QUOTA}")
    soon = judge(seen(pod("store-0"), events=(refusal(1),)), 5)
    assert soon == Rolling(f"process type store: 1 of 2 pods are ready (pods cannot be made: {QUOTA})")


def test_what_events_tell_of_may_be_over() -> None:
    assert judge(seen(pod("store-0"), pod("store-1"), events=(refusal(600),)), 5) == Healthy()


def test_a_pod_that_never_gets_ready_is_lost() -> None:
    slow = pod("store-1", ready=False, since_s=PROGRESS_S - 1)
    assert isinstance(judge(seen(pod("store-0"), slow, readyReplicas=1), 5), Rolling)
    lost = judge(seen(pod("store-0"), pod("store-1", ready=False, since_s=PROGRESS_S), readyReplicas=1), 5)
    assert lost == Broken(
        "process type store: no progress for 600 s: container store of pod store-1 runs and is not ready yet"
    )


@pytest.mark.parametrize("going_back", [False, True])
def test_who_is_in_the_way(going_back: bool) -> None:
    broken = pod("store-1", revision="old", ready=False, reason="ImagePullBackOff")
    slow = pod("store-2", revision="old", ready=False)
    fresh = pod("store-3", ready=False, reason="ImagePullBackOff")
    found = in_the_way(seen(pod("store-0", revision="old"), broken, slow, fresh), going_back=going_back)
    assert found == ([broken, slow] if going_back else [broken])
    assert in_the_way(seen(broken, observedGeneration=2), going_back=going_back) == []
