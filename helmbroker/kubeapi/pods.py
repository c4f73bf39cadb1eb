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
_EVENTS = frozenset({"FailedMount", "FailedAttachVolume", "FailedCreatePodSandBox", "FailedCreate"})


@dataclass(frozen=True)
class Trouble:
    """What a pod waits for. `hopeless`: waiting alone will not mend it."""

    reason: str
    hopeless: bool


def ready(pod: Obj) -> bool:
    """Whether the pod takes part in serving: Ready, and not on its way out."""
    return "deletionTimestamp" not in pod["metadata"] and _condition(pod, "Ready").get("status") == "True"


def trouble(pod: Obj, events: Sequence[Obj] = ()) -> Trouble:
    """The worst that can be said of a pod that is not ready. `events`: those about this pod."""
    name = pod["metadata"]["name"]
    scheduled = _condition(pod, "PodScheduled")
    if scheduled.get("status") == "False":
        message = _line(scheduled.get("message"))
        return Trouble(
            f"pod {name} cannot be scheduled: {message}. Ask for less, or give the cluster room for it",
            hopeless=True,
        )
    containers = [found for status in _statuses(pod) if (found := _container(name, status, pod)) is not None]
    warned = [Trouble(text, hopeless=False) for text in warnings(events)]
    for candidate in (*(c for c in containers if c.hopeless), *warned, *containers):
        return candidate
    phase = pod.get("status", {}).get("phase", "Pending")
    return Trouble(f"pod {name} is {phase}", hopeless=False)


def warnings(events: Iterable[Obj]) -> Iterator[str]:
    """What the cluster complains about: volumes that cannot be mounted, pods that may not be made."""
    for event in sorted(events, key=lambda event: str(event.get("lastTimestamp") or ""), reverse=True):
        if event.get("type") == "Warning" and event.get("reason") in _EVENTS:
            about = event.get("involvedObject", {})
            yield f"{about.get('kind', '')} {about.get('name', '')}: {_line(event.get('message'))}".strip()


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
    ended: Obj = state.get("terminated") or (status.get("lastState") or {}).get("terminated") or {}
    if ended and ended.get("exitCode") != 0:
        how = ended.get("reason") or "Error"
        last = _last_line(ended.get("message"))
        text = f"{where} ended with exit code {ended.get('exitCode')} ({how})" + (f": {last}" if last else "")
        restarts = status.get("restartCount", 0)
        return Trouble(text, hopeless=reason == "CrashLoopBackOff" and restarts >= _CRASHES)
    if status.get("ready"):
        return None
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
