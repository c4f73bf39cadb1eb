"""Statements on instances and bindings that are made once, and their parts."""

from __future__ import annotations

from functools import cache
from typing import Any

import sqlalchemy as sa

from helmbroker.broker.store.schema import instances, operations
from helmbroker.database import insert

NOTHING_WANTED = dict.fromkeys(
    ("wanted_plan_id", "sealed_wanted_parameters", "wanted_context", "wanted_digest", "return_to")
)
_APART = {*NOTHING_WANTED, "deployed_revision"}  # what is not part of an instance


def with_operation(table: sa.Table, *more: sa.ColumnElement[Any]) -> sa.Select[Any]:
    """Rows with the latest operation of each; `id` is that of the operation, `own_id` that of the row.

    One statement, so both are of one moment: a worker changes them while we read (PostgreSQL: READ COMMITTED).
    """
    own = [column for column in table.c if column.name != "id"]
    rows = sa.select(operations, table.c.id.label("own_id"), *own, *more)
    return rows.join(table, operations.c.id == table.c.operation_id)


@cache
def save_instance(dialect: str) -> sa.Executable:
    """A whole instance, made or written anew; `dialect`: as `insert` takes it."""
    new = insert(dialect, instances)
    changed = {c.name: new.excluded[c.name] for c in instances.c if c.name not in _APART}
    return new.on_conflict_do_update(index_elements=["id"], set_=changed)
