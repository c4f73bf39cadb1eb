"""Operations, workers and numbers for operators: plain SELECTs, so that every replica tells the same."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from helmbroker.broker.domain.operation import Kind, Phase, phase_of
from helmbroker.broker.domain.overview import Numbers, Tracked, Wanted
from helmbroker.broker.store.schema import bindings, instances, metadata, operations
from helmbroker.database import now, seen
from helmbroker.durable import State
from helmbroker.durable.queue import read_row
from helmbroker.status.workers import WorkerSeen

_OPEN = (State.QUEUED, State.RUNNING)
_workers = metadata.tables["workers"]


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
        t, moment = operations.c, now(self._conn)
        ours, going_on = t.kind.in_(list(Kind)), t.state.in_(_OPEN)
        counts = self._conn.execute(
            sa.select(t.kind, t.state, sa.func.count().label("n")).group_by(t.kind, t.state)
        )
        schedules = sa.select(t.kind, (t.run_at - moment).label("due_in_s")).where(
            t.kind.not_in(list(Kind)), going_on
        )
        waits = t.state == State.QUEUED, ours, t.kind != Kind.FLEET  # a run waits for others most of its time
        oldest = sa.select(sa.func.max(moment - t.created_at)).where(*waits)
        return Numbers(
            operations={(row.kind, State(row.state)): row.n for row in counts},
            oldest_queued_s=float(self._conn.scalar(oldest) or 0.0),
            retrying=self._count(going_on, ours, t.attempt > 1),
            leases_expired=self._count(t.state == State.RUNNING, t.lease_until < moment),
            workers=sum(each.lives for each in self.workers()),
            schedules_due_s={row.kind: float(row.due_in_s) for row in self._conn.execute(schedules)},
            instances=self._phases(instances),
            bindings=self._phases(bindings),
        )

    def _count(self, *where: sa.ColumnElement[bool]) -> int:
        return int(self._conn.scalar(sa.select(sa.func.count()).select_from(operations).where(*where)) or 0)

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
