"""The judgement of a rollout over what the cluster shows."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from helmbroker.controller_bridge.apps.patience import (
    CONFIG_S,
    PULL_ATTEMPTS,
    PULL_S,
    UNSCHEDULABLE_S,
    age_s,
    patience_over,
)
from helmbroker.controller_bridge.apps.port import Broken, Healthy, Rolling
from helmbroker.controller_bridge.apps.rollout import QUOTA_PATIENCE_S, Seen, judge
from helmbroker.kubeapi.port import Obj

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
REVISION = "deployment.kubernetes.io/revision"
QUOTA = 'pods "web-2-x" is forbidden: exceeded quota: small, requested: pods=1, used: pods=2, limited: pods=2'


def ago(seconds: float) -> str:
    return (NOW - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def deployment(*, number: str = "5", replicas: int = 2, **status: Any) -> Obj:
    full = {"observedGeneration": 3, "replicas": replicas, "updatedReplicas": replicas}
    full |= {"readyReplicas": replicas, "availableReplicas": replicas} | status
    annotations = {"helmbroker.io/app-release": number, REVISION: "2"}
    return {
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "shop", "uid": "d", "generation": 3, "annotations": annotations},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": "web"}}},
        "status": full,
    }


def owned(kind: str, uid: str) -> list[Obj]:
    return [{"kind": kind, "uid": uid, "controller": True}]


def replica_set(revision: str, *conditions: Obj) -> Obj:
    metadata = {"name": f"web-{revision}", "uid": f"r{revision}", "annotations": {REVISION: revision}}
    return {
        "metadata": {**metadata, "ownerReferences": owned("Deployment", "d")},
        "status": {"conditions": conditions},
    }


def pod(name: str, revision: str = "2", *, ready: bool = True, **more: Any) -> Obj:
    metadata = {"name": name, "uid": f"uid-{name}", "labels": {"app": "web"}}
    status = {"phase": "Running", "conditions": [{"type": "Ready", "status": str(ready)}], **more.pop("status", {})}
    return {
        "metadata": {**metadata, "ownerReferences": owned("ReplicaSet", f"r{revision}"), **more},
        "status": status,
    }


def stuck(reason: str, message: str = "", *, since_s: float = 0.0, **more: Any) -> Obj:
    """A pod whose container waits for a reason, scheduled some seconds ago."""
    container = {
        "name": "app",
        "image": "shop:2",
        "state": {"waiting": {"reason": reason, "message": message}},
        **more,
    }
    scheduled = {"type": "PodScheduled", "status": "True", "lastTransitionTime": ago(since_s)}
    return pod(
        "web-2-x",
        ready=False,
        status={"phase": "Pending", "conditions": [scheduled], "containerStatuses": [container]},
    )


def event(about: Obj, reason: str, message: str, count: int = 1) -> Obj:
    involved = {"kind": "Pod", "name": about["metadata"]["name"], "uid": about["metadata"]["uid"]}
    return {"type": "Warning", "reason": reason, "message": message, "count": count, "involvedObject": involved}


def seen(*pods: Obj, events: tuple[Obj, ...] = (), condition: Obj | None = None, **status: Any) -> Seen:
    new = replica_set("2", *([condition] if condition else []))
    return Seen({"web": deployment(**status)}, [replica_set("1"), new], pods, NOW, events)


def test_all_new_ready_and_nothing_old_is_healthy() -> None:
    assert judge(seen(pod("a"), pod("b")), 5) == Healthy()
    assert judge(seen(replicas=0), 5) == Healthy()


@pytest.mark.parametrize(
    ("status", "told"),
    [
        ({"number": "4"}, "process type web: the Deployment has v4, not v5"),
        ({"observedGeneration": 2}, "process type web: the cluster has not looked at the change yet"),
        ({"updatedReplicas": 1}, "process type web: 2 of 2 pods are ready"),
        ({"readyReplicas": 1}, "process type web: 2 of 2 pods are ready"),
        ({"availableReplicas": 1}, "process type web: 2 of 2 pods are ready"),
        ({"replicas": 3}, "process type web: 1 of 3 pods are ready"),
    ],
)
def test_counts_that_are_not_there_yet_are_rolling(status: dict[str, Any], told: str) -> None:
    pods = [pod("a"), pod("b")] if "replicas" not in status else [pod("a")]
    assert judge(seen(*pods, **status), 5) == Rolling(told)


def test_surplus_pods_are_rolling() -> None:
    surplus = replace(
        seen(pod("a"), pod("b")),
        processes={"web": deployment() | {"status": deployment()["status"] | {"replicas": 3}}},
    )
    assert isinstance(judge(surplus, 5), Rolling)


def test_no_replica_set_yet_is_rolling() -> None:
    before = replace(seen(pod("a", "1"), pod("b", "1")), replica_sets=[replica_set("1")])
    assert judge(before, 5) == Rolling("process type web: the cluster has not begun the rollout yet")
    unannotated = deployment()
    del unannotated["metadata"]["annotations"][REVISION]
    assert isinstance(judge(replace(before, processes={"web": unannotated}), 5), Rolling)


def test_old_pods_keep_it_rolling_until_the_last_has_stopped() -> None:
    stopping = pod("old", "1", deletionTimestamp=ago(3))
    waiting = judge(seen(pod("a"), pod("b"), stopping), 5)
    assert waiting == Rolling("process type web: 1 pod of the release before still stops")
    orphan = pod("old", "0", deletionTimestamp=ago(3))  # its ReplicaSet is not kept any more
    assert isinstance(judge(seen(pod("a"), pod("b"), orphan), 5), Rolling)
    ended = pod("old", "1", status={"phase": "Failed"})
    assert judge(seen(pod("a"), pod("b"), ended), 5) == Healthy()


def test_pods_of_others_do_not_count() -> None:
    other = pod("other", "9", labels={"app": "db"})
    loose = pod("loose", "9", ownerReferences=[])
    assert judge(seen(pod("a"), pod("b"), other, loose), 5) == Healthy()


@pytest.mark.parametrize(
    ("requirement", "belongs"),
    [
        ({"key": "tier", "operator": "In", "values": ["web"]}, True),
        ({"key": "tier", "operator": "In", "values": ["db"]}, False),
        ({"key": "tier", "operator": "NotIn", "values": ["db"]}, True),
        ({"key": "tier", "operator": "NotIn", "values": ["web"]}, False),
        ({"key": "tier", "operator": "Exists"}, True),
        ({"key": "none", "operator": "Exists"}, False),
        ({"key": "none", "operator": "DoesNotExist"}, True),
        ({"key": "tier", "operator": "DoesNotExist"}, False),
    ],
)
def test_expressions_select_pods_too(requirement: Obj, belongs: bool) -> None:
    watched = deployment()
    watched["spec"]["selector"] = {"matchExpressions": [requirement]}
    old = pod("old", "1", labels={"tier": "web"})
    pods = [pod("a", labels={"tier": "web"}), pod("b", labels={"tier": "web"}), old]
    verdict = judge(replace(seen(*pods), processes={"web": watched}), 5)
    # Not belonging, even the new pods are not seen; belonging, the old one is what is waited for.
    assert ("of the release before" in str(verdict)) is belongs


def test_a_paused_deployment_is_told() -> None:
    paused = deployment(updatedReplicas=0)
    paused["spec"]["paused"] = True
    verdict = judge(replace(seen(pod("a", "1")), processes={"web": paused}), 5)
    assert isinstance(verdict, Rolling)
    assert "kubectl rollout resume" in verdict.reason


def test_every_process_type_is_told_and_the_lost_one_first() -> None:
    rolling = deployment(readyReplicas=0)
    two = replace(seen(pod("a")), processes={"web": rolling, "worker": rolling})
    verdict = judge(two, 5)
    assert isinstance(verdict, Rolling)
    assert verdict.reason == "process type web: 1 of 2 pods are ready; process type worker: 1 of 2 pods are ready"
    lost = stuck("CrashLoopBackOff", restartCount=2, lastState={"terminated": {"exitCode": 1}})
    assert isinstance(judge(replace(two, pods=[lost]), 5), Broken)


def test_a_crashing_container_is_lost_with_its_last_words() -> None:
    ended = {"exitCode": 3, "reason": "Error", "message": "starting\nno such database\n\n"}
    state: Obj = {"restartCount": 2, "lastState": {"terminated": ended}}
    verdict = judge(seen(pod("a", "1"), stuck("CrashLoopBackOff", **state), readyReplicas=1), 5)
    assert verdict == Broken(
        "process type web: container app of pod web-2-x ended with exit code 3 (Error): no such database"
    )
    first = stuck("CrashLoopBackOff", **{**state, "restartCount": 1})
    assert isinstance(judge(seen(first, readyReplicas=0), 5), Rolling)


def test_a_pod_that_is_being_deleted_does_not_decide() -> None:
    going = stuck("InvalidImageName")
    going["metadata"]["deletionTimestamp"] = ago(1)
    assert isinstance(judge(seen(pod("a"), going, readyReplicas=1), 5), Rolling)


@pytest.mark.parametrize("reason", ["ImagePullBackOff", "ErrImagePull"])
def test_an_image_is_tried_more_than_once(reason: str) -> None:
    fresh, old = (stuck(reason, "not found", since_s=since_s) for since_s in (PULL_S - 1, PULL_S))
    assert not patience_over(fresh, [], NOW)
    assert patience_over(old, [], NOW)
    failed = event(fresh, "Failed", 'Failed to pull image "shop:2": not found', PULL_ATTEMPTS)
    assert patience_over(fresh, [failed], NOW)
    assert not patience_over(fresh, [failed | {"count": PULL_ATTEMPTS - 1}], NOW)
    assert not patience_over(fresh, [failed | {"message": "Error: ErrImagePull"}], NOW)
    verdict = judge(seen(fresh, events=(failed,), readyReplicas=0), 5)
    assert isinstance(verdict, Broken)
    assert verdict.reason.startswith(
        "process type web: image shop:2 for container app of pod web-2-x cannot be pulled"
    )


@pytest.mark.parametrize("reason", ["InvalidImageName", "ErrImageNeverPull"])
def test_an_image_that_can_never_be_is_lost_at_once(reason: str) -> None:
    assert isinstance(judge(seen(stuck(reason), readyReplicas=0), 5), Broken)


def test_config_that_is_missing_gets_a_moment() -> None:
    told = 'secret "other" not found'
    assert not patience_over(stuck("CreateContainerConfigError", told, since_s=CONFIG_S - 1), [], NOW)
    verdict = judge(seen(stuck("CreateContainerConfigError", told, since_s=CONFIG_S), readyReplicas=0), 5)
    cure = "Make it, or correct what names it"
    assert verdict == Broken(f"process type web: container app of pod web-2-x cannot be started: {told}. {cure}")
    lagging = stuck("CreateContainerConfigError", "failed to sync secret cache: timed out", since_s=3600)
    assert not patience_over(lagging, [], NOW)


@pytest.mark.parametrize(("since_s", "expected"), [(UNSCHEDULABLE_S - 1, Rolling), (UNSCHEDULABLE_S, Broken)])
def test_a_pod_without_a_node_waits_for_an_autoscaler(since_s: float, expected: type) -> None:
    scheduled = {
        "type": "PodScheduled",
        "status": "False",
        "reason": "Unschedulable",
        "message": "0/1 nodes: no memory",
    }
    condition = {**scheduled, "lastTransitionTime": ago(since_s)}
    waiting = pod("web-2-x", ready=False, status={"phase": "Pending", "conditions": [condition]})
    verdict = judge(seen(waiting, readyReplicas=0), 5)
    assert isinstance(verdict, expected)
    assert "pod web-2-x cannot be scheduled: 0/1 nodes: no memory" in str(verdict)


def refusal(message: str, since_s: float) -> Obj:
    reason = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": message}
    return {**reason, "lastTransitionTime": ago(since_s)}


def test_a_quota_is_final_unless_pods_are_still_stopping() -> None:
    full = seen(pod("a", "1"), condition=refusal(QUOTA, QUOTA_PATIENCE_S), readyReplicas=1)
    assert judge(full, 5) == Broken(f"process type web: pods cannot be made: {QUOTA}")
    early = seen(pod("a", "1"), condition=refusal(QUOTA, QUOTA_PATIENCE_S - 1), readyReplicas=1)
    assert isinstance(judge(early, 5), Rolling)
    stopping = replace(full, pods=[*full.pods, pod("b", "1", deletionTimestamp=ago(1))])
    assert isinstance(judge(stopping, 5), Rolling)
    other = seen(pod("a", "1"), condition=refusal("webhook timed out", 3600), readyReplicas=1)
    verdict = judge(other, 5)
    assert isinstance(verdict, Rolling)
    assert "pods cannot be made: webhook timed out" in verdict.reason


def test_the_deadline_of_the_deployment_ends_it_with_the_best_known_cause() -> None:
    exceeded = {
        "type": "Progressing",
        "status": "False",
        "reason": "ProgressDeadlineExceeded",
        "message": "has timed out",
    }
    assert judge(seen(readyReplicas=0, conditions=[exceeded]), 5) == Broken(
        "process type web: no progress for 600 s: has timed out"
    )
    slow = pod("slow", ready=False, status={"containerStatuses": [{"name": "app", "state": {"running": {}}}]})
    probe = event(slow, "Unhealthy", "Readiness probe failed: HTTP 500")
    assert judge(seen(slow, events=(probe,), readyReplicas=0, conditions=[exceeded]), 5) == Broken(
        "process type web: no progress for 600 s: container app of pod slow runs and is not ready yet: "
        "Readiness probe failed: HTTP 500"
    )


def test_what_is_waited_for_is_told() -> None:
    slow = pod("slow", ready=False, status={"containerStatuses": [{"name": "app", "state": {"running": {}}}]})
    assert judge(seen(pod("a"), slow, readyReplicas=1), 5) == Rolling(
        "process type web: 1 of 2 pods are ready (container app of pod slow runs and is not ready yet)"
    )


def test_ages_that_are_unknown_are_old() -> None:
    assert age_s(None, NOW) == age_s("yesterday", NOW) == float("inf")
    assert age_s(ago(7), NOW) == age_s(ago(7).rstrip("Z"), NOW) == 7.0
