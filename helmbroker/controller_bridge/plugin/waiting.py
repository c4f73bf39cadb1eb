"""Following work to its end: looking again and again, and saying what it waits for."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

from helmbroker.controller_bridge.plugin.client import ApiError, Json, Unreachable
from helmbroker.controller_bridge.plugin.output import text_of
from helmbroker.controller_bridge.plugin.progress import Progress
from helmbroker.controller_bridge.plugin.terminal import StillWorking, Terminal, WorkFailed

SHARE = 0.05  # of the time waited so far, until the next look
NOT_FOUND = 404

# What svcat, and our service after it, call states that do not last; see "lastConditionState".
WORKING = frozenset(
    {
        "",
        "Provisioning",
        "ProvisionRequestInFlight",
        "Updating",
        "UpdatingInstance",
        "UpdateInstanceRequestInFlight",
        "Deprovisioning",
        "DeprovisionRequestInFlight",
        "OrphanMitigation",
        "Binding",
        "BindingRequestInFlight",
        "Unbinding",
        "Rotating",
        "UnbindingRequestInFlight",
    }
)
READY = "Ready"


class Pending(NamedTuple):
    """It goes on; the message says what it waits for."""

    message: str


class Reached(NamedTuple):
    """It ended well; the result may say more."""

    result: str = ""


class Missed(NamedTuple):
    """It ended otherwise, for that reason."""

    reason: str


Look = Pending | Reached | Missed
Judge = Callable[[Json | None], Look]


def _message(resource: Json) -> str:
    return text_of(resource.get("message"))


def provisioned(resource: Json | None) -> Look:
    """After create and update: the instance is ready, failed, or neither yet."""
    if resource is None:
        return Missed("it was destroyed meanwhile")
    status = text_of(resource.get("status"))
    if status == READY:
        return Reached()
    message = _message(resource) or f"its status is {status or 'unknown'}"
    return Pending(message) if status in WORKING else Missed(message)


def updated(resource: Json | None) -> Look:
    """After update: ready again, and the app has what has come of it; `failed` tells whether all is as before."""
    look = provisioned(resource)
    if resource is None or not isinstance(look, Reached):
        return look
    if text_of(resource.get("binding")) == "Rotating":  # it gets other credentials
        return Pending(_message(resource))
    return Missed(_message(resource)) if resource.get("failed") else look


def settled(resource: Json | None) -> Look:
    """Nothing goes on any more, whatever has come of it."""
    if resource is None:
        return Reached()
    status, binding = text_of(resource.get("status")), text_of(resource.get("binding"))
    going_on = status in WORKING or binding in WORKING - {""}
    return Pending(_message(resource)) if going_on else Reached()


def bound(resource: Json | None) -> Look:
    """After bind: the credentials are live in the app, or the binding is gone again."""
    if resource is None:
        return Missed("the resource was destroyed meanwhile")
    binding = text_of(resource.get("binding"))
    if binding == READY:
        return Reached()
    message = _message(resource) or f"the binding is {binding or 'gone'}"
    return Pending(message) if binding and binding in WORKING else Missed(message)


def rotated(resource: Json | None) -> Look:
    """After rotate: bound, as before; `failed` tells whether with other credentials."""
    return _told(resource, bound(resource))


def admin_rotated(resource: Json | None) -> Look:
    """After rotate --admin: ready, as before; `failed` tells whether with another password."""
    return _told(resource, provisioned(resource))


def _told(resource: Json | None, look: Look) -> Look:
    """What was there before is there again in any case."""
    if resource and isinstance(look, Reached):
        return Missed(_message(resource)) if resource.get("failed") else Reached(_message(resource))
    return look


def unbound(resource: Json | None) -> Look:
    """After unbind: there is no binding any more."""
    binding = text_of(resource.get("binding")) if resource else ""
    if not resource or not binding:
        return Reached()
    message = _message(resource) or f"the binding is {binding}"
    return Pending(message) if binding in WORKING else Missed(message)


def destroyed(resource: Json | None) -> Look:
    """After destroy: the resource is unknown."""
    if resource is None:
        return Reached()
    status = text_of(resource.get("status"))
    message = _message(resource) or f"its status is {status}"
    return Pending(message) if status in WORKING else Missed(message)


def rolled_back(operation: Json) -> Look:
    """After a rollback: the app runs the new release, or it could not."""
    state, description = text_of(operation.get("state")), text_of(operation.get("description"))
    if state in ("failed", "cancelled"):
        return Missed(description or f"the rollback was {state}")
    if state == "succeeded":
        return Reached(f"v{operation.get('version')}")
    return Pending(description)


def found(look_up: Callable[[], Json]) -> Json | None:
    """What `look_up` finds, or None when the service says that there is no such thing."""
    try:
        return look_up()
    except ApiError as error:
        if error.status != NOT_FOUND:
            raise
        return None


class Patience(NamedTuple):
    """How long to wait, in seconds, and what to say when that is over."""

    timeout_s: float
    advice: str


def follow(look: Callable[[], Look], progress: Progress, terminal: Terminal, patience: Patience) -> None:
    """Look until the end. Raises WorkFailed with the reason when it ends badly, StillWorking when not in time.

    While the service does not answer, its work goes on: that is no reason to give up before the time is over.
    """
    began = time.monotonic()
    deadline = began + patience.timeout_s
    while True:
        try:
            seen = look()
        except Unreachable as error:
            seen = Pending(str(error))
        match seen:
            case Reached(result):
                progress.done(result)
                return
            case Missed(reason):
                raise WorkFailed(f"{reason}\n{patience.advice}")
            case Pending(message):
                progress.say(message)
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            raise StillWorking(
                f"not finished after {patience.timeout_s:g}s, and still going on: {message}\n{patience.advice}"
            )
        pause_s = max(terminal.first_poll_s, SHARE * (time.monotonic() - began))
        time.sleep(min(pause_s, terminal.longest_poll_s, left_s))
