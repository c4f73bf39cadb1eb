"""Whether workloads are ready, from their status; and why not, from their pods and events. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from helmbroker.broker.domain.cluster import NotReady, Readiness, Ready
from helmbroker.kubeapi import pods
from helmbroker.kubeapi.causes import line
from helmbroker.kubeapi.pods import Around
from helmbroker.kubeapi.port import Obj


@dataclass(frozen=True)
class Observed:
    """A workload with its pods, and the events about it, about them and about their claims."""

    workload: Obj
    pods: Sequence[Obj] = ()
    events: Sequence[Obj] = ()
    around: Around = field(default_factory=Around)


def satisfied(workload: Obj) -> bool:
    """Whether the workload's own status says that everything it should run is ready and up to date."""
    status, spec = workload.get("status", {}), workload.get("spec", {})
    if workload["kind"] == "Job":
        return _has(workload, "Complete")
    if status.get("observedGeneration", 0) < workload["metadata"].get("generation", 0):
        return False
    match workload["kind"]:
        case "DaemonSet":
            wanted = status.get("desiredNumberScheduled", 0)
            return bool(status.get("numberReady", 0) == wanted == status.get("updatedNumberScheduled", 0))
        case _:
            wanted = spec.get("replicas", 1)
            return bool(status.get("readyReplicas", 0) == wanted == status.get("updatedReplicas", 0))


def judge(observed: Sequence[Observed]) -> Readiness:
    """Ready, or what is waited for: the most hopeless reason first."""
    reasons = [_reason(each) for each in observed if not satisfied(each.workload)]
    if not reasons:
        return Ready()
    return next((reason for reason in reasons if reason.hopeless), reasons[0])


def job_failure(observed: Observed) -> str | None:
    """Why a Job failed, or cannot get on; None when nothing speaks against it."""
    name = f"Job {observed.workload['metadata']['name']}"
    for pod in _newest_first(observed.pods):
        message = pods.exit_message(pod)
        if message is not None:
            return f"{name}: {message}"
    troubles = [found for pod in observed.pods if (found := _trouble(pod, observed)).hopeless]
    if troubles:
        return f"{name}: {troubles[0].reason}"
    refused = pods.refusal(event for event in observed.events if _about(event, observed.workload))
    if refused is not None:
        return f"{name}: {refused}"
    # its pods were removed with its time; what was the matter with them is told by their events only
    told = None if observed.pods else next(iter(pods.warnings(observed.events)), None)
    told = told or _condition(observed.workload, "Failed").get("message")
    return None if not told else f"{name}: {told}"


def claims_of(observed: Iterable[Obj]) -> set[str]:
    """Names of the volume claims of pods that have no node yet: they may be what the pods wait for."""
    waiting = [pod for pod in observed if not pod.get("spec", {}).get("nodeName")]
    volumes = [volume for pod in waiting for volume in pod.get("spec", {}).get("volumes") or ()]
    return {volume["persistentVolumeClaim"]["claimName"] for volume in volumes if "persistentVolumeClaim" in volume}


def _reason(observed: Observed) -> NotReady:
    workload = observed.workload
    name = f"{workload['kind']} {workload['metadata']['name']}"
    if workload["kind"] == "Job" and _has(workload, "Failed"):
        return NotReady(job_failure(observed) or f"{name} failed", hopeless=True)
    troubles = [_trouble(pod, observed) for pod in _newest_first(observed.pods) if not pods.ready(pod)]
    worst = next((trouble for trouble in troubles if trouble.hopeless), None)
    if worst is not None:
        return NotReady(worst.reason, hopeless=True)
    # the controller may not make the pod: a quota, a missing right
    own = [event for event in observed.events if _about(event, workload) or _kind(event) == "ReplicaSet"]
    refused = pods.refusal(own) if len(observed.pods) < workload.get("spec", {}).get("replicas", 1) else None
    if refused is not None:
        return NotReady(f"{name}: {refused}", hopeless=True)
    if troubles:
        return NotReady(troubles[0].reason + _evicted_before(observed))
    if not observed.pods:
        said = pods.not_made(own)
        return NotReady(f"{name} has no pods yet" + (f": {line(said[0].get('message'))}" if said else ""))
    return NotReady(f"{name} runs" if workload["kind"] == "Job" else f"{name} is being updated")


def _evicted_before(observed: Observed) -> str:
    """A pod that is made anew does not say how the one before it ended."""
    gone = [event for event in observed.events if _kind(event) == "Pod" and not _any_of(event, observed.pods)]
    evicted = pods.evicted(gone)
    return "" if evicted is None else f"; before that, {evicted}"


def _any_of(event: Obj, found: Sequence[Obj]) -> bool:
    return any(_about(event, pod) for pod in found)


def _trouble(pod: Obj, observed: Observed) -> pods.Trouble:
    claims = claims_of([pod])
    events = [event for event in observed.events if _about(event, pod) or _claim(event) in claims]
    found = pods.trouble(pod, events, observed.around)
    probe = None if found.hopeless else pods.failed_probe(events)
    return found if probe is None else pods.Trouble(f"{found.reason}: {probe}", hopeless=False)


def _claim(event: Obj) -> str | None:
    return event["involvedObject"].get("name") if _kind(event) == "PersistentVolumeClaim" else None


def _kind(event: Obj) -> object:
    return event.get("involvedObject", {}).get("kind")


def _about(event: Obj, obj: Obj) -> bool:
    uid = event.get("involvedObject", {}).get("uid")
    return bool(uid == obj["metadata"].get("uid"))


def _newest_first(found: Sequence[Obj]) -> list[Obj]:
    return sorted(found, key=lambda pod: str(pod["metadata"].get("creationTimestamp", "")), reverse=True)


def _has(workload: Obj, kind: str) -> bool:
    return bool(_condition(workload, kind).get("status") == "True")


def _condition(workload: Obj, kind: str) -> Obj:
    conditions = workload.get("status", {}).get("conditions") or ()
    return next((condition for condition in conditions if condition.get("type") == kind), {})
