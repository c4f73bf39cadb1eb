"""Is a release out, can it still get there, or is it lost? A judgement over what the cluster shows. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from helmbroker.controller_bridge.apps.names import number_in
from helmbroker.controller_bridge.apps.patience import age_s, patience_over
from helmbroker.controller_bridge.apps.port import Broken, Healthy, Rolling, Rollout
from helmbroker.controller_bridge.apps.workloads import CRON_JOB, DEPLOYMENT, STATEFUL_SET, Processes, pod_template
from helmbroker.kubeapi.pods import Trouble, not_made, ready, trouble, warnings
from helmbroker.kubeapi.port import Obj
from helmbroker.kubeapi.selectors import selects

QUOTA_PATIENCE_S = 15.0
"""Seconds that pods may be refused: those of a rollout before, still stopping, count towards a quota."""

PROGRESS_S = 600
"""Seconds that a pod of a StatefulSet may take to become ready: Deployments have such a deadline of their own."""

_REVISION = "deployment.kubernetes.io/revision"
_SET_REVISION = "controller-revision-hash"
_ENDED = frozenset({"Succeeded", "Failed"})


@dataclass(frozen=True)
class Seen:
    """What the cluster showed, read in this order: workloads, ReplicaSets, Jobs, Pods, Events."""

    processes: Processes
    replica_sets: Sequence[Obj]
    pods: Sequence[Obj]
    now: datetime
    events: Sequence[Obj] = ()
    jobs: Sequence[Obj] = ()


def judge(seen: Seen, number: int) -> Rollout:
    """Healthy when every process type is; Broken as soon as one is; else Rolling, with what is waited for."""
    verdicts = [_judge_one(kind, workload, seen, number) for kind, workload in seen.processes.items()]
    lost = next((verdict for verdict in verdicts if isinstance(verdict, Broken)), None)
    if lost is not None:
        return lost
    waiting = [verdict.reason for verdict in verdicts if isinstance(verdict, Rolling)]
    return Rolling("; ".join(waiting)) if waiting else Healthy()


def in_the_way(seen: Seen, *, going_back: bool) -> list[Obj]:
    """Pods of an older revision for which a StatefulSet waits in vain; `going_back`: all that are not ready."""
    return [
        pod
        for workload in seen.processes.values()
        if workload["kind"] == STATEFUL_SET and _is_observed(workload)
        for pod in _live(workload, seen)
        if not _is_new(pod, workload, None)
        if not ready(pod) and "deletionTimestamp" not in pod["metadata"]
        if going_back or trouble(pod).hopeless
    ]


def goes_on(job: Obj) -> bool:
    """Whether a Job has pods, or will have some."""
    return all(_condition(job, kind).get("status") != "True" for kind in ("Complete", "Failed"))


def _judge_one(kind: str, workload: Obj, seen: Seen, number: int) -> Rollout:
    where = f"process type {kind}"
    given = number_in(workload["metadata"])
    if given != number:
        return Rolling(
            f"{where}: the {workload['kind']} has {f'v{given}' if given else 'no release'}, not v{number}"
        )
    if workload["kind"] == CRON_JOB:
        return _judge_jobs(where, workload, seen)
    if not _is_observed(workload):
        return Rolling(f"{where}: the cluster has not looked at the change yet")
    current = _current(workload, seen.replica_sets) if workload["kind"] == DEPLOYMENT else workload
    if current is None:
        return Rolling(f"{where}: the cluster has not begun the rollout yet")
    pods = _live(workload, seen)
    new = [pod for pod in pods if _is_new(pod, workload, current)]
    starting = [pod for pod in new if not ready(pod) and "deletionTimestamp" not in pod["metadata"]]
    troubles = [_trouble(pod, seen) for pod in starting]
    lost = next((found for found in troubles if found.hopeless), None)
    if lost is not None:
        return Broken(f"{where}: {lost.reason}")
    refused = _refused(current, pods, seen)
    if refused is not None and refused.hopeless:
        return Broken(f"{where}: {refused.reason}")
    waits = [found.reason for found in (refused, *troubles) if found is not None]
    deadline_s = _missed_deadline(workload, starting, seen)
    if deadline_s is not None:
        cause = waits[0] if waits else _said(workload, "Progressing")
        return Broken(f"{where}: no progress for {deadline_s} s: {cause}")
    return _progress(where, workload, new, len(pods) - len(new), waits)


def _judge_jobs(where: str, cron_job: Obj, seen: Seen) -> Rollout:
    """What begins from now on has the release; what began before must have ended, as nobody restarts it."""
    stamp = number_in(pod_template(cron_job).get("metadata"))
    older = [
        str(job["metadata"]["name"])
        for job in seen.jobs
        if _owner(job) == cron_job["metadata"]["uid"]
        and goes_on(job)
        and number_in(job["spec"]["template"].get("metadata")) != stamp
    ]
    if older:
        return Rolling(f"{where}: Job {older[0]} of the release before still runs")
    return Healthy()


def _missed_deadline(workload: Obj, starting: Sequence[Obj], seen: Seen) -> int | None:
    """The seconds after which there had to be progress, when they are over."""
    if _condition(workload, "Progressing").get("reason") == "ProgressDeadlineExceeded":
        return int(workload["spec"].get("progressDeadlineSeconds", PROGRESS_S))
    if workload["kind"] == STATEFUL_SET:
        since = (_condition(pod, "PodScheduled").get("lastTransitionTime", seen.now) for pod in starting)
        if any(age_s(each, seen.now) >= PROGRESS_S for each in since):
            return PROGRESS_S
    return None


def _progress(where: str, workload: Obj, new: Sequence[Obj], old: int, waits: Sequence[str]) -> Rollout:
    spec, status = workload["spec"], workload.get("status") or {}
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
    events = [event for event in seen.events if _about(event, current)]
    if current.get("kind") == STATEFUL_SET:
        # It has no condition for that. Events outlive what they tell of: they count while a pod is missing.
        missing = len(pods) < int(current["spec"].get("replicas", 1))
        found = next(iter(not_made(events)), {}) if missing else {}
        since = found.get("firstTimestamp")
    else:
        condition = _condition(current, "ReplicaFailure")
        found = condition if condition.get("status") == "True" else {}
        since = found.get("lastTransitionTime")
    if not found:
        return None
    said = " ".join(str(found.get("message") or "").split())
    reason = f"pods cannot be made: {said or next(warnings(events), '') or found.get('reason')}"
    stopping = any("deletionTimestamp" in pod["metadata"] for pod in pods)
    lasted = age_s(since, seen.now) >= QUOTA_PATIENCE_S
    return Trouble(reason, hopeless="forbidden" in said and lasted and not stopping)


def _is_observed(workload: Obj) -> bool:
    """Whether its controller has seen the newest change."""
    observed = (workload.get("status") or {}).get("observedGeneration") or 0
    return int(observed) >= int(workload["metadata"]["generation"])


def _live(workload: Obj, seen: Seen) -> list[Obj]:
    """Its pods that have not ended."""
    return [pod for pod in seen.pods if _belongs(pod, workload) and not _ended(pod)]


def _is_new(pod: Obj, workload: Obj, current: Obj | None) -> bool:
    """Whether a pod is made from the present pod template; `current`: the ReplicaSet of a Deployment."""
    if workload["kind"] == STATEFUL_SET:
        labels: Mapping[str, str] = pod["metadata"].get("labels") or {}
        return bool(labels.get(_SET_REVISION) == (workload.get("status") or {}).get("updateRevision"))
    return current is not None and bool(_owner(pod) == current["metadata"]["uid"])


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


def _belongs(pod: Obj, workload: Obj) -> bool:
    """By selector, as ReplicaSets of old may be gone while their pods still stop; never a pod of nobody."""
    if workload["kind"] == STATEFUL_SET:
        return bool(_owner(pod) == workload["metadata"]["uid"])
    labels: Mapping[str, str] = pod["metadata"].get("labels") or {}
    if not any(owner.get("kind") == "ReplicaSet" for owner in pod["metadata"].get("ownerReferences") or ()):
        return False
    return selects(workload["spec"]["selector"], labels)


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
