"""How long a pod in trouble is given before its rollout counts as lost: what often mends itself gets time. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime

from helmbroker.kubeapi.port import Obj

UNSCHEDULABLE_S = 120.0
"""Seconds without a node: an autoscaler needs about that to bring one."""

PULL_S = 60.0
"""Seconds of failing to pull an image, when it is not known how often it was tried."""

PULL_ATTEMPTS = 2
"""Failed pulls after which an image counts as missing; the kubelet tries again after some ten seconds."""

CONFIG_S = 10.0
"""Seconds of a container that cannot be made: a Secret may arrive in the kubelet later than its pod."""

_AT_ONCE = frozenset({"InvalidImageName", "ErrImageNeverPull", "CrashLoopBackOff"})
_PULL = frozenset({"ErrImagePull", "ImagePullBackOff"})
_CONFIG = frozenset({"CreateContainerConfigError", "CreateContainerError", "RunContainerError"})
_KUBELET_LAGS = "failed to sync"  # "... secret cache": the kubelet's own hiccup, gone at its next try


def patience_over(pod: Obj, events: Sequence[Obj], now: datetime) -> bool:
    """Whether a pod that waiting alone will not mend has been given time enough. `events`: those about this pod."""
    status = pod.get("status") or {}
    conditions: Sequence[Obj] = status.get("conditions") or ()
    scheduled: Obj = next((each for each in conditions if each.get("type") == "PodScheduled"), {})
    since_s = age_s(scheduled.get("lastTransitionTime"), now)
    if scheduled.get("status") == "False":
        return since_s >= UNSCHEDULABLE_S
    containers = [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
    waiting = [(container.get("state") or {}).get("waiting") or {} for container in containers]
    return any(_over(each, events, since_s) for each in waiting)


def _over(waiting: Obj, events: Sequence[Obj], since_s: float) -> bool:
    reason = waiting.get("reason")
    if reason in _PULL:
        return _failed_pulls(events) >= PULL_ATTEMPTS or since_s >= PULL_S
    if reason in _CONFIG:
        return since_s >= CONFIG_S and _KUBELET_LAGS not in str(waiting.get("message"))
    return reason in _AT_ONCE


def _failed_pulls(events: Sequence[Obj]) -> int:
    failed = [event for event in events if event.get("reason") == "Failed"]
    return sum(int(event.get("count") or 1) for event in failed if "pull image" in str(event.get("message")))


def age_s(timestamp: object, now: datetime) -> float:
    """Seconds since an RFC 3339 time of the API; infinite when there is none or it cannot be read."""
    try:
        then = datetime.fromisoformat(str(timestamp))
    except ValueError:
        return math.inf
    return (now - (then if then.tzinfo else then.replace(tzinfo=UTC))).total_seconds()
