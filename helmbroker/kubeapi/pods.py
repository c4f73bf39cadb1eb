"""Why a pod does not run: its own states, conditions and events as one sentence with cause and cure. Pure.

Used wherever somebody waits for pods: instances becoming ready, Jobs of bindings, rollouts of apps.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from helmbroker.kubeapi.port import Obj

_MESSAGE_CHARACTERS = 300
_CRASHES = 2  # restarts after which a container that ends with an error is given up on
_IMAGE = frozenset({"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"})
_CONFIG = frozenset({"CreateContainerConfigError", "CreateContainerError", "RunContainerError"})
_EVENTS = frozenset({"FailedMount", "FailedAttachVolume", "FailedCreatePodSandBox", "FailedCreate", "Failed"})
_VOLUME_EVENTS = frozenset({"ProvisioningFailed", "FailedBinding"})  # the second one comes as Normal
_HELP_COMES = frozenset({"TriggeredScaleUp", "Nominated"})  # an autoscaler (or Karpenter) brings a node
_REFUSED = ("forbidden", "exceeded quota")


@dataclass(frozen=True)
class Trouble:
    """What a pod waits for. `hopeless`: waiting alone will not mend it."""

    reason: str
    hopeless: bool


def ready(pod: Obj) -> bool:
    """Whether the pod takes part in serving: Ready, and not on its way out."""
    return "deletionTimestamp" not in pod["metadata"] and _condition(pod, "Ready").get("status") == "True"


def trouble(pod: Obj, events: Sequence[Obj] = ()) -> Trouble:
    """The worst that can be said of a pod that is not ready. `events`: those about it and about its claims."""
    name = pod["metadata"]["name"]
    if "deletionTimestamp" in pod["metadata"]:
        return Trouble(f"pod {name} is being stopped", hopeless=False)
    statuses = _statuses(pod)
    if not statuses and not pod.get("spec", {}).get("nodeName"):
        return _unscheduled(pod, events)
    found = [each for status in statuses if (each := _container(name, status, pod)) is not None]
    began = any({"running", "terminated"} & set(status.get("state") or {}) for status in statuses)
    # once a container has run, what went wrong with its volumes before is history
    warned = [] if began else [Trouble(text, hopeless="not found" in text) for text in warnings(events)]
    for candidate in (*(c for c in found if c.hopeless), *warned, *found):
        return candidate
    phase = pod.get("status", {}).get("phase", "Pending")
    return Trouble(f"pod {name} is {phase}", hopeless=False)


def _unscheduled(pod: Obj, events: Sequence[Obj]) -> Trouble:
    name, scheduled = pod["metadata"]["name"], _condition(pod, "PodScheduled")
    volumes = [event for event in _newest_first(events) if event.get("reason") in _VOLUME_EVENTS]
    if volumes:
        text = f"pod {name} waits for its volume: {_told(volumes[0])}. Check the storage class and its provisioner"
        return Trouble(text, hopeless=True)
    if scheduled.get("status") != "False":
        return Trouble(f"pod {name} is {pod.get('status', {}).get('phase', 'Pending')}", hopeless=False)
    message = _line(scheduled.get("message"))
    if "unbound immediate PersistentVolumeClaims" in message:
        return Trouble(f"pod {name} waits for its volume to be made", hopeless=False)
    if any(event.get("reason") in _HELP_COMES for event in events):
        return Trouble(f"pod {name} waits for a new node: {message}", hopeless=False)
    return Trouble(
        f"pod {name} cannot be scheduled: {message}. Ask for less, or give the cluster room for it", hopeless=True
    )


def warnings(events: Iterable[Obj]) -> Iterator[str]:
    """What the cluster complains about, newest first: volumes that cannot be mounted, pods that may not be made."""
    for event in _newest_first(events):
        repeats = str(event.get("message")).startswith("Error: ")  # the kubelet says it twice, once without cause
        if event.get("type") == "Warning" and event.get("reason") in _EVENTS and not repeats:
            yield _told(event)


def refusal(events: Iterable[Obj]) -> str | None:
    """Why a controller may not make pods or claims (a quota, an admission rule), with the cure; None: it may."""
    for event in _newest_first(events):
        message = _line(event.get("message"))
        if event.get("reason") == "FailedCreate" and any(word in message for word in _REFUSED):
            return f"{message}. Raise the quota, or remove what forbids it"
    return None


def failed_probe(events: Iterable[Obj]) -> str | None:
    """What the newest failed probe of a pod said."""
    for event in _newest_first(events):
        if event.get("reason") == "Unhealthy":
            return _line(event.get("message")).rstrip(" :")
    return None


def _told(event: Obj) -> str:
    about = event.get("involvedObject", {})
    return f"{about.get('kind', '')} {about.get('name', '')}: {_line(event.get('message'))}".strip()


def _newest_first(events: Iterable[Obj]) -> list[Obj]:
    def when(event: Obj) -> str:
        series: Obj = event.get("series") or {}
        return str(series.get("lastObservedTime") or event.get("lastTimestamp") or event.get("eventTime") or "")

    return sorted(events, key=when, reverse=True)


def _container(pod: str, status: Obj, whole: Obj) -> Trouble | None:
    state = status.get("state", {})
    where = f"container {status.get('name')} of pod {pod}"
    waiting: Obj = state.get("waiting") or {}
    reason, message = waiting.get("reason"), _line(waiting.get("message"))
    if reason in _IMAGE:
        image = status.get("image") or _image(whole, status.get("name"))
        return Trouble(
            f"image {image} for {where} cannot be pulled: {message or reason}. "
            "Check the name, the registry and the pull secret",
            hopeless=True,
        )
    if reason in _CONFIG:
        return Trouble(f"{where} cannot be started: {message or reason}", hopeless=True)
    if status.get("ready"):
        return None
    ended: Obj = state.get("terminated") or (status.get("lastState") or {}).get("terminated") or {}
    if ended and ended.get("exitCode") != 0:
        how = ended.get("reason") or "Error"
        last = _last_line(ended.get("message"))
        text = f"{where} ended with exit code {ended.get('exitCode')} ({how})" + (f": {last}" if last else "")
        # also while it runs once more: it has shown how that ends
        return Trouble(text, hopeless=status.get("restartCount", 0) >= _CRASHES)
    if "running" in state:
        return Trouble(f"{where} runs and is not ready yet", hopeless=False)
    return Trouble(f"{where} is being made", hopeless=False)


def exit_message(pod: Obj) -> str | None:
    """Why a pod of a Job ended with an error: the last line that its container left. None: it did not."""
    for status in _statuses(pod):
        states = (status.get("state") or {}, status.get("lastState") or {})
        for ended in (state["terminated"] for state in states if "terminated" in state):
            if ended.get("exitCode"):
                said = _last_line(ended.get("message")) or ended.get("reason") or "Error"
                return f"{said} (exit code {ended['exitCode']})"
    return None


def _statuses(pod: Obj) -> list[Obj]:
    status = pod.get("status", {})
    return [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]


def _condition(pod: Obj, kind: str) -> Obj:
    conditions: list[Obj] = pod.get("status", {}).get("conditions") or []
    return next((condition for condition in conditions if condition.get("type") == kind), {})


def _image(pod: Obj, container: Any) -> str:
    spec = pod.get("spec", {})
    every = [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]
    return next((str(c.get("image")) for c in every if c.get("name") == container), "?")


def _line(text: object) -> str:
    line = " ".join(str(text or "").split()).rstrip(".")
    return line if len(line) <= _MESSAGE_CHARACTERS else line[: _MESSAGE_CHARACTERS - 1] + "…"


def _last_line(text: object) -> str:
    lines = [line for line in str(text or "").splitlines() if line.strip()]
    return _line(lines[-1]) if lines else ""
