"""Why a pod does not run: its own states, conditions and events as one sentence with cause and cure. Pure.

Used wherever somebody waits for pods: instances becoming ready, Jobs of bindings, rollouts of apps.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from helmbroker.kubeapi import causes, room
from helmbroker.kubeapi.causes import line
from helmbroker.kubeapi.port import Obj

_CRASHES = 2  # restarts after which a container that ends with an error is given up on
_IMAGE = frozenset({"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"})
_CONFIG = frozenset({"CreateContainerConfigError", "CreateContainerError", "RunContainerError"})
_EVENTS = frozenset({"FailedMount", "FailedAttachVolume", "FailedCreatePodSandBox", "FailedCreate", "Failed"})
_VOLUME_EVENTS = frozenset({"ProvisioningFailed", "FailedBinding"})  # the second one comes as Normal
_PUT_OUT = frozenset(
    {"Evicted", "NodeLost", "Preempting", "Terminated", "NodeShutdown", "NodeAffinity", "Shutdown"}
)
_HELP_COMES = frozenset({"TriggeredScaleUp", "Nominated"})  # an autoscaler (or Karpenter) brings a node
_WAITS = "ExternalProvisioning"
_KILLED = "OOMKilled"
_PREEMPTION = re.compile(r"\. (?:no new claims to deallocate|preemption: )")  # the scheduler's words about others


@dataclass(frozen=True)
class Trouble:
    """What a pod waits for. `hopeless`: waiting alone will not mend it."""

    reason: str
    hopeless: bool


def ready(pod: Obj) -> bool:
    """Whether the pod takes part in serving: Ready, and not on its way out."""
    return "deletionTimestamp" not in pod["metadata"] and _condition(pod, "Ready").get("status") == "True"


@dataclass(frozen=True)
class Around:
    """What is known of a pod's surroundings, as far as it may be looked at."""

    claims: Mapping[str, Obj] = field(default_factory=dict)  # its volume claims, by name
    free: Mapping[str, room.Amounts] | None = None  # what each node has left; None: that may not be seen
    nodes: Mapping[str, Obj] = field(default_factory=dict)  # those that may be to blame, by name


def trouble(pod: Obj, events: Sequence[Obj] = (), around: Around | None = None) -> Trouble:
    """The worst that can be said of a pod that is not ready. `events`: those about it and about its claims."""
    name, around = pod["metadata"]["name"], around or Around()
    lost = _lost_node(pod, around)
    if "deletionTimestamp" in pod["metadata"]:
        return Trouble(f"pod {name} is being stopped{held(pod) or (lost and f', but {lost}')}", hopeless=False)
    if lost:
        return Trouble(f"pod {name} cannot be reached: {lost}", hopeless=False)
    if pod.get("status", {}).get("reason") in _PUT_OUT:
        return Trouble(put_out(pod), hopeless=False)
    statuses = _statuses(pod)
    if not statuses and not pod.get("spec", {}).get("nodeName"):
        return _unscheduled(pod, events, around)
    found = [each for status in statuses if (each := _container(name, status, pod, events)) is not None]
    began = any({"running", "terminated"} & set(status.get("state") or {}) for status in statuses)
    # once a container has run, what went wrong with its volumes before is history
    warned = [] if began else [_warned(text) for text in warnings(events)]
    for candidate in (*(c for c in found if c.hopeless), *warned, *found):
        return candidate
    phase = pod.get("status", {}).get("phase", "Pending")
    return Trouble(f"pod {name} is {phase}", hopeless=False)


def lacks_room(pod: Obj) -> bool:
    """Whether the scheduler finds no node with room for it."""
    return bool(room.lacking(line(_condition(pod, "PodScheduled").get("message"))))


def doubts_its_node(pod: Obj) -> bool:
    """Whether what is wrong with the pod may be its node: its containers are said to be fine, or it does not go."""
    statuses = (pod.get("status") or {}).get("containerStatuses") or ()
    fine = bool(statuses) and all(status.get("ready") for status in statuses)
    leaves = "deletionTimestamp" in pod["metadata"]
    return bool(pod.get("spec", {}).get("nodeName")) and (leaves or (fine and not ready(pod)))


def held(pod: Obj) -> str:
    """What keeps a deleted pod from going, or nothing: `, but is held by the finalizer x: ...`."""
    holders = pod["metadata"].get("finalizers") or ()
    ended = (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")
    if not holders or not ended:
        return ""
    return f", but is held by the finalizer {', '.join(holders)}: whoever set it has to remove it"


def _lost_node(pod: Obj, around: Around) -> str:
    """That its node is gone or silent, with the cure; or nothing."""
    node = around.nodes.get(str(pod.get("spec", {}).get("nodeName")))
    state = {} if node is None else _condition(node, "Ready")
    if node is None or state.get("status") == "True":
        return ""
    why = line(state.get("message")) or "it has never been ready"
    name = node["metadata"]["name"]
    return f"its node {name} is not ready ({why}). Bring it back, or remove it from the cluster"


def _warned(text: str) -> Trouble:
    missing = _missing(text)
    return Trouble(f"{text}. Make it, or correct what names it" if missing else text, hopeless="not found" in text)


def _missing(message: str) -> bool:
    return re.search(r'(secret|configmap|persistentvolumeclaim) "[^"]+" not found', message) is not None


def put_out(pod: Obj) -> str:
    """Why a pod was ended by its node, or with it."""
    status = pod.get("status", {})
    how = "was evicted" if status.get("reason") == "Evicted" else f"was ended ({status.get('reason')})"
    return f"pod {pod['metadata']['name']} {how}: {line(status.get('message')) or 'its node does not say why'}"


def evicted(events: Iterable[Obj]) -> str | None:
    """That a pod was evicted, and why, when it is gone itself: by the newest event."""
    for event in _newest_first(events):
        if event.get("reason") == "Evicted":
            return f"pod {event.get('involvedObject', {}).get('name')} was evicted: {line(event.get('message'))}"
    return None


def _unscheduled(pod: Obj, events: Sequence[Obj], around: Around) -> Trouble:
    name, scheduled = pod["metadata"]["name"], _condition(pod, "PodScheduled")
    for event in _newest_first(events):
        claim = around.claims.get(str(event.get("involvedObject", {}).get("name")))
        if (claim or {}).get("status", {}).get("phase") == "Bound":
            continue  # events outlive what they tell of: this volume has come, and an older pod has used it
        if event.get("reason") in _VOLUME_EVENTS:
            return Trouble(f"pod {name} waits for its volume: {causes.volume(event, claim)}", hopeless=True)
        if event.get("reason") == _WAITS:
            who = causes.provisioner(event.get("message")) or "the provisioner"
            return Trouble(f"pod {name} waits for its volume, which {who} has to make", hopeless=False)
    if scheduled.get("status") != "False":
        return Trouble(f"pod {name} is {pod.get('status', {}).get('phase', 'Pending')}", hopeless=False)
    message = line(_PREEMPTION.split(str(scheduled.get("message")))[0])
    if "unbound immediate PersistentVolumeClaims" in message:
        return Trouble(f"pod {name} waits for its volume to be made", hopeless=False)
    if any(event.get("reason") in _HELP_COMES for event in events):
        return Trouble(f"pod {name} waits for a new node: {message}", hopeless=False)
    if not room.lacking(message):
        cure = "Change where it may run, or give the cluster such a node"
    else:
        message += _compared(pod, message, around)
        cure = "Ask for less, or give the cluster room for it"
    return Trouble(f"pod {name} cannot be scheduled: {message}. {cure}", hopeless=True)


def _compared(pod: Obj, message: str, around: Around) -> str:
    """What it asks for beside what there is, of that which the scheduler finds insufficient."""
    asked = {"pods": 1.0, **room.asked(pod)}
    names = [name for name in room.lacking(message) if asked.get(name)]
    if not names:
        return ""
    said = f"; it asks {room.text(asked, names)}"
    most = None if around.free is None else room.roomiest(around.free, asked, names)
    return said if most is None else f"{said}, and the node with most room has {room.text(most, names)} free"


def warnings(events: Iterable[Obj]) -> Iterator[str]:
    """What the cluster complains about, newest first: volumes that cannot be mounted, pods that may not be made."""
    for event in _newest_first(events):
        repeats = str(event.get("message")).startswith("Error: ")  # the kubelet says it twice, once without cause
        if event.get("type") == "Warning" and event.get("reason") in _EVENTS and not repeats:
            yield _told(event)


def refusal(events: Iterable[Obj]) -> str | None:
    """Why a controller may not make pods or claims (a quota, an admission rule), with the cure; None: it may."""
    refused = (causes.refused(str(event.get("message"))) for event in not_made(events))
    return next((each for each in refused if each is not None), None)


def not_made(events: Iterable[Obj]) -> list[Obj]:
    """What controllers say of pods and claims that they could not make, newest first."""
    return [event for event in _newest_first(events) if event.get("reason") == "FailedCreate"]


def failed_probe(events: Iterable[Obj]) -> str | None:
    """What the newest failed probe of a pod said."""
    for event in _newest_first(events):
        if event.get("reason") == "Unhealthy":
            return line(event.get("message")).rstrip(" :")
    return None


def _told(event: Obj) -> str:
    about = event.get("involvedObject", {})
    return f"{about.get('kind', '')} {about.get('name', '')}: {line(event.get('message'))}".strip()


def _newest_first(events: Iterable[Obj]) -> list[Obj]:
    def when(event: Obj) -> str:
        series: Obj = event.get("series") or {}
        return str(series.get("lastObservedTime") or event.get("lastTimestamp") or event.get("eventTime") or "")

    return sorted(events, key=when, reverse=True)


def _container(pod: str, status: Obj, whole: Obj, events: Sequence[Obj]) -> Trouble | None:
    state = status.get("state", {})
    where = f"container {status.get('name')} of pod {pod}"
    waiting: Obj = state.get("waiting") or {}
    reason, message = waiting.get("reason"), line(waiting.get("message"))
    if reason in _IMAGE:
        image = status.get("image") or _spec(whole, status).get("image", "?")
        said = message or str(reason)
        text = f"image {image} for {where} cannot be pulled: {said}. {causes.pull(str(waiting.get('message')))}"
        return Trouble(text, hopeless=True)
    if reason in _CONFIG:
        cure = ". Make it, or correct what names it" if _missing(message) else ""
        return Trouble(f"{where} cannot be started: {message or reason}{cure}", hopeless=True)
    if status.get("ready"):
        return None
    ended: Obj = state.get("terminated") or (status.get("lastState") or {}).get("terminated") or {}
    # of a shell that lives on after its child was killed for memory, the exit code is 0
    if ended and (ended.get("exitCode") != 0 or ended.get("reason") == _KILLED):
        # also while it runs once more: it has shown how that ends
        return Trouble(_ended(where, status, ended, whole, events), status.get("restartCount", 0) >= _CRASHES)
    if "running" in state:
        return Trouble(f"{where} runs and is not ready yet", hopeless=False)
    return Trouble(f"{where} is being made", hopeless=False)


def _ended(where: str, status: Obj, ended: Obj, pod: Obj, events: Sequence[Obj]) -> str:
    """How a container ended that should run."""
    if ended.get("reason") == _KILLED:
        limit = ((_spec(pod, status).get("resources") or {}).get("limits") or {}).get("memory")
        over = f"it used more than its memory limit of {limit}" if limit else "there was no memory left for it"
        return f"{where} was killed, as {over} (OOMKilled). Choose a larger plan, or raise the limit"
    probe = _killing_probe(status, events)
    if probe is not None:
        return f"{where} was stopped, as it does not live: {probe}"
    last = _last_line(ended.get("message"))
    how = f"exit code {ended.get('exitCode')} ({ended.get('reason') or 'Error'})"
    return f"{where} ended with {how}" + (f": {last}" if last else "")


def _killing_probe(status: Obj, events: Sequence[Obj]) -> str | None:
    """What the probe said for which the kubelet has stopped the container."""
    killed = re.compile(rf"Container {re.escape(str(status.get('name')))} failed (?:liveness|startup) probe")
    if not any(event.get("reason") == "Killing" and killed.match(str(event.get("message"))) for event in events):
        return None
    said = (event for event in events if not str(event.get("message")).startswith("Readiness"))
    return failed_probe(said)


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


def _spec(pod: Obj, status: Obj) -> Obj:
    """What the pod says of the container of a status."""
    spec = pod.get("spec", {})
    every = [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]
    return next((container for container in every if container.get("name") == status.get("name")), {})


def _last_line(text: object) -> str:
    lines = [line for line in str(text or "").splitlines() if line.strip()]
    return line(lines[-1]) if lines else ""
