"""Operations, workers and numbers for operators: plain SELECTs, so that every replica tells the same."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from helmbroker.broker.domain.operation import Kind, Phase, phase_of
from helmbroker.broker.domain.overview import Numbers, Pinned, Tracked, Wanted
from helmbroker.broker.store.schema import bindings, findings, instances, metadata, operations
from helmbroker.database import now, seen
from helmbroker.durable import State
from helmbroker.durable.queue import read_row
from helmbroker.status.numbers import read, scheduled
from helmbroker.status.workers import WorkerSeen

_workers = metadata.tables["workers"]
_FINDINGS = sa.select(findings.c.kind, sa.func.count().label("n")).group_by(findings.c.kind)


class SqlOverview:
    """The port Overview on one connection."""

    def __init__(self, conn: sa.Connection) -> None:
        self._conn = conn
        self._tracked = sa.select(operations, now(conn).label("moment"))

    def operations(self, wanted: Wanted) -> list[Tracked]:
        query = self._tracked
        if wanted.states:
            query = query.where(operations.c.state.in_([str(state) for state in wanted.states]))
        if wanted.kinds:
            query = query.where(operations.c.kind.in_(list(wanted.kinds)))
        else:
            query = query.where(~scheduled(operations))
        if wanted.instance_id is not None:
            query = query.where(operations.c.subject == wanted.instance_id, operations.c.kind.in_(list(Kind)))
        rows = self._conn.execute(query.order_by(operations.c.seq.desc()).limit(wanted.limit))
        return [_tracked(row) for row in rows]

    def operation(self, operation_id: str) -> Tracked | None:
        row = self._conn.execute(self._tracked.where(operations.c.id == operation_id)).first()
        return None if row is None else _tracked(row)

    def workers(self) -> list[WorkerSeen]:
        return [WorkerSeen(*row) for row in seen(self._conn, _workers)]

    def numbers(self) -> Numbers:
        return Numbers(
            work=read(self._conn, operations, _workers, patient=Kind.FLEET),
            instances=self._phases(instances),
            bindings=self._phases(bindings),
            findings={row.kind: row.n for row in self._conn.execute(_FINDINGS)},
        )

    def pinned(self, instance_id: str) -> Pinned | None:
        columns = (instances.c.addon_digest, instances.c.plan_id)
        row = self._conn.execute(sa.select(*columns).where(instances.c.id == instance_id)).first()
        return None if row is None else Pinned(*row)

    def _phases(self, table: sa.Table) -> dict[tuple[str, str, Phase], int]:
        """How many instances or bindings of each plan are in each phase."""
        by = (table.c.service_id, table.c.plan_id, operations.c.kind, operations.c.state)
        query = sa.select(*by, sa.func.count().label("n")).join(table, operations.c.id == table.c.operation_id)
        found: dict[tuple[str, str, Phase], int] = {}
        for row in self._conn.execute(query.group_by(*by)):
            key = (row.service_id, row.plan_id, phase_of(row.kind, State(row.state)))
            found[key] = found.get(key, 0) + row.n
        return found


def _tracked(row: sa.Row[Any]) -> Tracked:
    return Tracked(read_row(row), row.owner, row.lease_until, row.run_at, row.moment)
