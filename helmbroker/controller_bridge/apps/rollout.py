"""Is a release out, can it still get there, or is it lost? A judgement over what the cluster shows. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from helmbroker.controller_bridge.apps.names import number_in
from helmbroker.controller_bridge.apps.patience import age_s, patience_over
from helmbroker.controller_bridge.apps.port import Broken, Healthy, Rolling, Rollout
from helmbroker.kubeapi.pods import Trouble, ready, trouble, warnings
from helmbroker.kubeapi.port import Obj

QUOTA_PATIENCE_S = 15.0
"""Seconds that pods may be refused: those of a rollout before, still stopping, count towards a quota."""

_REVISION = "deployment.kubernetes.io/revision"
_ENDED = frozenset({"Succeeded", "Failed"})


@dataclass(frozen=True)
class Seen:
    """What the cluster showed, read in this order: Deployments by process type, ReplicaSets, Pods, Events."""

    deployments: Mapping[str, Obj]
    replica_sets: Sequence[Obj]
    pods: Sequence[Obj]
    now: datetime
    events: Sequence[Obj] = ()


def judge(seen: Seen, number: int) -> Rollout:
    """Healthy when every process type is; Broken as soon as one is; else Rolling, with what is waited for."""
    verdicts = [_judge_one(kind, deployment, seen, number) for kind, deployment in seen.deployments.items()]
    lost = next((verdict for verdict in verdicts if isinstance(verdict, Broken)), None)
    if lost is not None:
        return lost
    waiting = [verdict.reason for verdict in verdicts if isinstance(verdict, Rolling)]
    return Rolling("; ".join(waiting)) if waiting else Healthy()


def _judge_one(kind: str, deployment: Obj, seen: Seen, number: int) -> Rollout:
    where = f"process type {kind}"
    metadata, status = deployment["metadata"], deployment.get("status") or {}
    given = number_in(metadata)
    if given != number:
        return Rolling(f"{where}: the Deployment has {f'v{given}' if given else 'no release'}, not v{number}")
    if int(status.get("observedGeneration") or 0) < int(metadata["generation"]):
        return Rolling(f"{where}: the cluster has not looked at the change yet")
    current = _current(deployment, seen.replica_sets)
    if current is None:
        return Rolling(f"{where}: the cluster has not begun the rollout yet")
    pods = [pod for pod in seen.pods if _belongs(pod, deployment) and not _ended(pod)]
    new = [pod for pod in pods if _owner(pod) == current["metadata"]["uid"]]
    troubles = [_trouble(pod, seen) for pod in new if not ready(pod) and "deletionTimestamp" not in pod["metadata"]]
    lost = next((found for found in troubles if found.hopeless), None)
    if lost is not None:
        return Broken(f"{where}: {lost.reason}")
    refused = _refused(current, pods, seen)
    if refused is not None and refused.hopeless:
        return Broken(f"{where}: {refused.reason}")
    waits = [found.reason for found in (refused, *troubles) if found is not None]
    if _condition(deployment, "Progressing").get("reason") == "ProgressDeadlineExceeded":
        deadline_s = deployment["spec"].get("progressDeadlineSeconds", 600)
        cause = waits[0] if waits else _said(deployment, "Progressing")
        return Broken(f"{where}: no progress for {deadline_s} s: {cause}")
    return _progress(where, deployment, new, len(pods) - len(new), waits)


def _progress(where: str, deployment: Obj, new: Sequence[Obj], old: int, waits: Sequence[str]) -> Rollout:
    spec, status = deployment["spec"], deployment.get("status") or {}
    desired = int(spec.get("replicas", 1))
    if spec.get("paused"):
        return Rolling(f"{where}: the Deployment is paused; `kubectl rollout resume` lets it go on")
    available = int(status.get("availableReplicas") or 0)
    counts = [int(status.get(name) or 0) for name in ("updatedReplicas", "readyReplicas", "replicas")]
    if available != desired or any(count != desired for count in counts) or len(new) != desired:
        updated = sum(1 for pod in new if ready(pod))
        detail = f" ({waits[0]})" if waits else ""
        return Rolling(f"{where}: {updated} of {desired} pods are ready{detail}")
    if old:
        return Rolling(f"{where}: {old} {'pod' if old == 1 else 'pods'} of the release before still {_stop(old)}")
    return Healthy()


def _stop(count: int) -> str:
    return "stops" if count == 1 else "stop"


def _trouble(pod: Obj, seen: Seen) -> Trouble:
    events = [event for event in seen.events if _about(event, pod)]
    found = trouble(pod, events)
    probe = _unhealthy(events) if not found.hopeless else ""
    reason = f"{found.reason}: {probe}" if probe else found.reason
    return Trouble(reason, hopeless=found.hopeless and patience_over(pod, events, seen.now))


def _unhealthy(events: Sequence[Obj]) -> str:
    """What the newest failed probe said."""
    failed = [event for event in events if event.get("reason") == "Unhealthy"]
    newest = max(failed, key=lambda event: str(event.get("lastTimestamp") or ""), default=None)
    return "" if newest is None else " ".join(str(newest.get("message") or "").split())[:300]


def _refused(current: Obj, pods: Sequence[Obj], seen: Seen) -> Trouble | None:
    """Pods that may not be made: a quota, an admission rule, a missing service account."""
    condition = _condition(current, "ReplicaFailure")
    if condition.get("status") != "True":
        return None
    said = " ".join(str(condition.get("message") or "").split())
    told = next(warnings(event for event in seen.events if _about(event, current)), "")
    reason = f"pods cannot be made: {said or told or condition.get('reason')}"
    stopping = any("deletionTimestamp" in pod["metadata"] for pod in pods)
    lasted = age_s(condition.get("lastTransitionTime"), seen.now) >= QUOTA_PATIENCE_S
    return Trouble(reason, hopeless="forbidden" in said and lasted and not stopping)


def _current(deployment: Obj, replica_sets: Sequence[Obj]) -> Obj | None:
    """The ReplicaSet of the Deployment's present pod template."""
    revision = (deployment["metadata"].get("annotations") or {}).get(_REVISION)
    if revision is None:
        return None
    for replica_set in replica_sets:
        annotations = replica_set["metadata"].get("annotations") or {}
        if _owner(replica_set) == deployment["metadata"]["uid"] and annotations.get(_REVISION) == revision:
            return replica_set
    return None


def _belongs(pod: Obj, deployment: Obj) -> bool:
    """By selector, as ReplicaSets of old may be gone while their pods still stop; never a pod without one."""
    labels: Mapping[str, str] = pod["metadata"].get("labels") or {}
    if not any(owner.get("kind") == "ReplicaSet" for owner in pod["metadata"].get("ownerReferences") or ()):
        return False
    selector = deployment["spec"]["selector"]
    if any(labels.get(key) != value for key, value in (selector.get("matchLabels") or {}).items()):
        return False
    return all(_holds(requirement, labels) for requirement in selector.get("matchExpressions") or ())


def _holds(requirement: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    key, values = requirement["key"], requirement.get("values") or ()
    match requirement["operator"]:
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case _:
            return key not in labels


def _conditions(obj: Obj) -> Iterator[Obj]:
    yield from (obj.get("status") or {}).get("conditions") or ()


def _condition(obj: Obj, kind: str) -> Obj:
    return next((condition for condition in _conditions(obj) if condition.get("type") == kind), {})


def _said(obj: Obj, kind: str) -> str:
    return str(_condition(obj, kind).get("message") or "the cluster does not say why")


def _owner(obj: Obj) -> str | None:
    owners = obj["metadata"].get("ownerReferences") or ()
    return next((owner.get("uid") for owner in owners if owner.get("controller")), None)


def _about(event: Obj, obj: Obj) -> bool:
    return bool(event.get("involvedObject", {}).get("uid") == obj["metadata"]["uid"])


def _ended(pod: Obj) -> bool:
    return (pod.get("status") or {}).get("phase") in _ENDED
