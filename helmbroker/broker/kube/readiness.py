"""Whether workloads are ready, from their status; and why not, from their pods and events. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from helmbroker.broker.domain.cluster import NotReady, Readiness, Ready
from helmbroker.kubeapi import pods
from helmbroker.kubeapi.port import Obj


@dataclass(frozen=True)
class Observed:
    """A workload with its pods, and the events about it and about them."""

    workload: Obj
    pods: Sequence[Obj] = ()
    events: Sequence[Obj] = ()


def satisfied(workload: Obj) -> bool:
    """Whether the workload's own status says that everything it should run is ready and up to date."""
    status, spec = workload.get("status", {}), workload.get("spec", {})
    if status.get("observedGeneration", 0) < workload["metadata"].get("generation", 0):
        return False
    match workload["kind"]:
        case "Job":
            return _has(workload, "Complete")
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


def _reason(observed: Observed) -> NotReady:
    workload = observed.workload
    name = f"{workload['kind']} {workload['metadata']['name']}"
    if workload["kind"] == "Job" and _has(workload, "Failed"):
        causes = [cause for pod in observed.pods if (cause := pods.exit_message(pod))]
        return NotReady(f"{name} failed" + (f": {causes[-1]}" if causes else ""), hopeless=True)
    troubles = [
        pods.trouble(pod, [event for event in observed.events if _about(event, pod)])
        for pod in observed.pods
        if not pods.ready(pod)
    ]
    if troubles:
        worst = next((trouble for trouble in troubles if trouble.hopeless), troubles[0])
        return NotReady(worst.reason, worst.hopeless)
    for text in pods.warnings(event for event in observed.events if _about(event, workload)):
        # the controller may not make the pod: a quota, a missing right
        return NotReady(f"{text}. Raise the quota or remove what forbids it", hopeless=True)
    return NotReady(f"{name} has no pods yet")


def _about(event: Obj, obj: Obj) -> bool:
    uid = event.get("involvedObject", {}).get("uid")
    return bool(uid == obj["metadata"].get("uid"))


def _has(workload: Obj, kind: str) -> bool:
    conditions = workload.get("status", {}).get("conditions") or ()
    return any(c.get("type") == kind and c.get("status") == "True" for c in conditions)
