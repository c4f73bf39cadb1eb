"""Which columns hold sealed secrets, and where each of these belongs."""

from __future__ import annotations

import json
from functools import partial

import sqlalchemy as sa

from helmbroker.broker.store.schema import bindings, facts, instances
from helmbroker.database import reader
from helmbroker.sealing.stored import Column, sealed_facts

AUDIT_KEY = "audit_key"  # a fact


def place(column: str, *row: str) -> str:
    """Where a ciphertext belongs, unambiguously."""
    return json.dumps([column, *row])


def columns(engine: sa.Engine) -> list[Column]:
    """All of them."""
    tables = (instances, bindings)
    sealed = [column for table in tables for column in table.c if column.name.startswith("sealed_")]
    names = [f"{column.table.name}.{column.name.removeprefix('sealed_')}" for column in sealed]
    found = [Column(engine, column, partial(place, name)) for column, name in zip(sealed, names, strict=True)]
    return [*found, sealed_facts(engine, facts, AUDIT_KEY)]


def namespaces(engine: sa.Engine) -> set[str]:
    """Where the cluster may remember what is recorded."""
    with reader(engine).connect() as conn:
        return {
            name
            for table in (instances, bindings)
            for name in conn.scalars(sa.select(table.c.namespace).distinct())
        }
