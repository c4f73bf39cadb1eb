"""How operations on resources begin: a row of the queue, in the transaction of whoever begins it."""

from __future__ import annotations

import uuid

import sqlalchemy as sa

from helmbroker.controller_bridge.broker_port import LONGEST_S
from helmbroker.controller_bridge.model import BindingState, Kind, Resource
from helmbroker.controller_bridge.settings import LONGEST_GRACE_S
from helmbroker.controller_bridge.store import Store
from helmbroker.durable import JSON, Operation, State

INSTANCE_TIMEOUT_S = 3600.0
RELEASE_TIMEOUT_S = 1800.0
ROTATION_TIMEOUT_S = 3600.0
_TIMEOUTS_S = {
    Kind.CREATE: INSTANCE_TIMEOUT_S,
    Kind.UPDATE: INSTANCE_TIMEOUT_S,
    Kind.DESTROY: INSTANCE_TIMEOUT_S,
    Kind.ROTATE: ROTATION_TIMEOUT_S + LONGEST_GRACE_S,
    Kind.ROTATE_ADMIN: INSTANCE_TIMEOUT_S,
    Kind.ROTATE_NOW: ROTATION_TIMEOUT_S,
}
_OF_INSTANCE = (Kind.CREATE, Kind.UPDATE, Kind.ROTATE_ADMIN, Kind.DESTROY)
# By plans that let the broker take longer: to make an instance, and to remove it again.
_PROLONGED_S = 2 * LONGEST_S
_REVOKE_S, _MOST_S = 3600.0, 86400.0  # the first pause before old credentials are revoked once more; the longest


def begin(
    conn: sa.Connection, store: Store, kind: Kind, operation_id: str, resource: Resource, user: str, **more: JSON
) -> None:
    """Enqueue it, with `more` among its params; the row of the resource is for the caller to change."""
    of_instance = kind in _OF_INSTANCE
    store.queue().enqueue(
        conn,
        id=operation_id,
        kind=kind,
        subject=resource.subject if of_instance else resource.app_subject,
        params={**_about(resource), "user": user, **more},
        timeout_s=usual_s(kind) + (_PROLONGED_S if of_instance else 0.0),
    )


def usual_s(kind: str) -> float:
    """How long an operation may take when no plan says more, in seconds."""
    return _TIMEOUTS_S.get(Kind(kind), RELEASE_TIMEOUT_S)


def _about(resource: Resource) -> dict[str, JSON]:
    """`instance` is for logs and traces: whoever works reads the row."""
    return {"app": resource.app, "resource": resource.uuid, "instance": resource.instance_id}


def begin_rotation(conn: sa.Connection, store: Store, resource: Resource, user: str, kind: Kind) -> None:
    """Of a resource that is bound, and locked by the caller: with a binding that is to succeed its own."""
    operation_id, successor = str(uuid.uuid4()), str(uuid.uuid4())
    store.change(
        conn,
        resource.uuid,
        binding=BindingState.ROTATING,
        message="",
        binding_operation=operation_id,
        other_bindings=[*resource.other_bindings, successor],
    )
    begin(conn, store, kind, operation_id, resource, user, successor=successor)


def begin_revocation(conn: sa.Connection, store: Store, resource: Resource, tries: int) -> None:
    """Of what a rotation has left beside the app's own binding; the caller has locked the resource.

    Until it has ended the resource counts as rotating, so that whatever stops a rotation stops it as well.
    """
    operation_id = str(uuid.uuid4())
    store.change(conn, resource.uuid, binding=BindingState.ROTATING, message="", binding_operation=operation_id)
    begin(conn, store, Kind.REVOKE, operation_id, resource, resource.owner, tries=tries)


def tries_due(last: Operation, now: float) -> int | None:
    """How often old credentials have been revoked in vain, when it is time to do so again; None: it is not.

    `last`: the latest operation on the binding. Only after its switch, or a try, is all that is left of no use to
    the app. The pause is an hour first, then twice as long each time, up to a day.
    """
    if last.state is not State.FAILED or last.finished_at is None:
        return None
    if last.kind != Kind.REVOKE and "switch" not in last.results:
        return None
    tries = int(str(last.params.get("tries", 0)))
    pause_s = min(_REVOKE_S * 2.0 ** min(tries, 10), _MOST_S)
    return tries + 1 if last.finished_at + pause_s <= now else None
