"""Where the operations of the bridge stand, by their tables of steps. Light enough for the API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from helmbroker.controller_bridge.model import Kind
from helmbroker.controller_bridge.operations import (
    bind,
    create,
    destroy,
    reinject,
    release,
    rollback,
    rotate,
    rotate_admin,
    unbind,
    update,
)
from helmbroker.controller_bridge.operations.work import FAILURE, Work
from helmbroker.durable import Operation, Step
from helmbroker.status.standing import Standing, among

TABLES: Mapping[str, Sequence[Step[Work]]] = {
    Kind.CREATE: create.STEPS,
    Kind.UPDATE: update.STEPS,
    Kind.BIND: bind.STEPS,
    Kind.UNBIND: unbind.STEPS,
    Kind.DESTROY: destroy.STEPS,
    Kind.ROLLBACK: rollback.STEPS,
    Kind.REINJECT: reinject.STEPS,
    Kind.RELEASE: release.STEPS,
    Kind.ROTATE: rotate.STEPS,
    Kind.ROTATE_ADMIN: rotate_admin.STEPS,
    Kind.ROTATE_NOW: rotate.STEPS_NOW,
    Kind.REVOKE: rotate.REVOKE,
}
WAYS_BACK: Mapping[str, Sequence[Step[Work]]] = {
    Kind.CREATE: create.UNDO,
    Kind.BIND: bind.UNDO,
    Kind.UNBIND: unbind.UNDO,
    Kind.ROLLBACK: rollback.UNDO,
    Kind.REINJECT: reinject.UNDO,
    Kind.RELEASE: release.UNDO,
    Kind.ROTATE: rotate.UNDO,
    Kind.ROTATE_NOW: rotate.UNDO,
}


def standing(operation: Operation) -> Standing | None:
    """Where it stands. None: it has not begun, or has ended, or is of a kind without a table."""
    way_back = FAILURE in operation.results
    tables = WAYS_BACK if way_back else TABLES
    return among(operation, tables.get(operation.kind, ()), way_back=way_back)


def described(operation: Operation) -> str:
    """Its description; while it goes on, with where it stands.

    Its kind is said, as what it waits for at the broker ends with steps, too: those of the broker.
    """
    where = standing(operation)
    if where is None:
        return operation.description
    return f"{operation.description} ({operation.kind}, {where})".strip()
