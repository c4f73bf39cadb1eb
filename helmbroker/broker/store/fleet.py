"""The table of fleet runs: which instances a run is about, and what became of each."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from helmbroker.broker.domain.fleet import Member, Outcome, Running
from helmbroker.broker.domain.operation import DELETIONS, Kind, phase_of
from helmbroker.broker.store.schema import fleet_members as table
from helmbroker.broker.store.schema import instances, operations
from helmbroker.durable import Operation, State
from helmbroker.durable.queue import read_row


def running(conn: sa.Connection, service_id: str) -> list[Running]:
    """The instances of an offering, tombstones left out, by their ids."""
    t, done = operations.c, sa.and_(operations.c.kind.in_(sorted(DELETIONS)), operations.c.state == State.SUCCEEDED)
    columns = (instances.c.id, instances.c.plan_id, instances.c.addon_digest, t.kind, t.state)
    query = sa.select(*columns).join(operations, t.id == instances.c.operation_id)
    rows = conn.execute(query.where(instances.c.service_id == service_id, ~done).order_by(instances.c.id))
    return [Running(row.id, row.plan_id, row.addon_digest, phase_of(row.kind, State(row.state))) for row in rows]


def runs(conn: sa.Connection, most: int) -> list[Operation]:
    """The newest first."""
    query = sa.select(operations).where(operations.c.kind == Kind.FLEET).order_by(operations.c.seq.desc())
    return [read_row(row) for row in conn.execute(query.limit(most))]


def add(conn: sa.Connection, run_id: str, instance_ids: Sequence[str]) -> None:
    """These, in this order."""
    rows = [
        {"run_id": run_id, "instance_id": instance_id, "position": position, "detail": ""}
        for position, instance_id in enumerate(instance_ids)
    ]
    if rows:
        conn.execute(table.insert(), rows)


def members(conn: sa.Connection, run_id: str) -> list[Member]:
    """Of a run, in their order."""
    rows = conn.execute(sa.select(table).where(table.c.run_id == run_id).order_by(table.c.position))
    return [
        Member(row.instance_id, row.operation_id, None if row.outcome is None else Outcome(row.outcome), row.detail)
        for row in rows
    ]


def note(conn: sa.Connection, run_id: str, member: Member) -> None:
    """As this is a member now."""
    this = table.c.run_id == run_id, table.c.instance_id == member.instance_id
    values = {"operation_id": member.operation_id, "outcome": member.outcome, "detail": member.detail}
    conn.execute(table.update().where(*this).values(**values))


def move(conn: sa.Connection, run_id: str, to: str) -> None:
    """All of a run become those of another one."""
    conn.execute(table.update().where(table.c.run_id == run_id).values(run_id=to))
