"""last_operation: what is asked most often by far, so it is one statement, and opens nothing that is sealed."""

from __future__ import annotations

from typing import Any, TypeAlias

import sqlalchemy as sa

from helmbroker.broker.store.schema import bindings, instances, operations
from helmbroker.durable import Operation
from helmbroker.durable.queue import read_row

Select: TypeAlias = "sa.Select[Any]"

_INSTANCE = (instances.c.id == sa.bindparam("instance_id"),)
_BINDING = (bindings.c.instance_id == sa.bindparam("instance_id"), bindings.c.id == sa.bindparam("binding_id"))
_NAMED = operations.c.id == sa.bindparam("operation_id")


def _of(table: sa.Table, subject: sa.Column[str], *where: sa.ColumnElement[bool]) -> tuple[Select, Select]:
    """The operation of an id, and the latest one. Made once: that takes longer than to run them."""
    found = sa.select(operations)
    named = found.join(table, operations.c.subject == subject).where(_NAMED, *where)
    return named, found.join(table, operations.c.id == table.c.operation_id).where(*where)


_OF_INSTANCE = _of(instances, instances.c.id, *_INSTANCE)
_OF_BINDING = _of(bindings, bindings.c.instance_id, *_BINDING)


def poll(
    conn: sa.Connection, instance_id: str, binding_id: str | None, operation_id: str | None
) -> Operation | None:
    """See broker.domain.store_ports.Store."""
    named, latest = _OF_INSTANCE if binding_id is None else _OF_BINDING
    ids = (
        {"instance_id": instance_id}
        if binding_id is None
        else {"instance_id": instance_id, "binding_id": binding_id}
    )
    if operation_id is not None:
        row = conn.execute(named, {**ids, "operation_id": operation_id}).first()
        if row is not None and row.params.get("binding_id") == binding_id:
            return read_row(row)
    row = conn.execute(latest, ids).first()
    return None if row is None else read_row(row)
