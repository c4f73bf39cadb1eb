"""Where the operations of the broker stand, by their tables of steps.

Pure, and light enough for the API: it loads the tables, but neither helm nor a client of the cluster.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from helmbroker.broker.domain.operation import Kind
from helmbroker.broker.operations import bind, deprovision, fleet, provision, purge, refresh, repair, unbind, update
from helmbroker.durable import Operation, Step
from helmbroker.status.standing import Standing, among

TABLES: Mapping[str, Sequence[Step[Any]]] = {
    Kind.PROVISION: provision.STEPS,
    Kind.UPDATE: update.STEPS,
    Kind.DEPROVISION: deprovision.STEPS,
    Kind.BIND: bind.STEPS,
    Kind.UNBIND: unbind.STEPS,
    Kind.REPAIR: repair.STEPS,
    Kind.PURGE: purge.STEPS,
    Kind.REFRESH: refresh.STEPS,
    Kind.FLEET: fleet.STEPS,
}


def standing(operation: Operation) -> Standing | None:
    """Where it stands. None: it has not begun, or has ended, or is of a kind without a table."""
    back = operation.kind == Kind.UPDATE and update.GIVEN_UP in operation.results
    return among(operation, update.way_back(operation) if back else table(operation), way_back=back)


def table(operation: Operation) -> Sequence[Step[Any]]:
    """Its steps, in their order; none when its kind is not known here."""
    return update.steps(operation) if operation.kind == Kind.UPDATE else TABLES.get(operation.kind, ())


def described(operation: Operation) -> str:
    """Its description; while it goes on, with where it stands."""
    where = standing(operation)
    return operation.description if where is None else f"{operation.description} ({where})".strip()
