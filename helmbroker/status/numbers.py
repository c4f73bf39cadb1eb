"""How much work there is, how old it is, what hinders it: one look at the operations of a broker or a bridge."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import sqlalchemy as sa

from helmbroker.database import now, seen
from helmbroker.durable import State
from helmbroker.durable.model import SCHEDULE
from helmbroker.durable.queue import RUN_S
from helmbroker.status.workers import WorkerSeen

# Constants instead of bind parameters, so that the partial indexes are used.
_QUEUED, _RUNNING = (sa.literal_column(f"'{state}'", sa.String) for state in (State.QUEUED, State.RUNNING))


@dataclass(frozen=True)
class WorkNumbers:
    """Operations and who carries them out.

    Schedules never end and are told apart; their expired leases are counted too.
    """

    operations: Mapping[tuple[str, State], int] = field(default_factory=dict)
    oldest_queued_s: float = 0.0
    retrying: int = 0  # not ended, and tried more than once
    leases_expired: int = 0  # nobody has taken them over yet
    workers: int = 0
    schedules_due_s: Mapping[str, float] = field(default_factory=dict)  # by kind; negative: late, or long at it


def scheduled(operations: sa.Table) -> sa.ColumnElement[bool]:
    """Whether a row is that of a schedule."""
    return operations.c.id.startswith(SCHEDULE)


def read(conn: sa.Connection, operations: sa.Table, workers: sa.Table, patient: str = "") -> WorkNumbers:
    """Of these tables. patient: the kind that waits for others most of its time."""
    t, moment = operations.c, now(conn)
    counts = sa.select(t.kind, t.state, sa.func.count().label("n")).group_by(t.kind, t.state)
    open_ = sa.union_all(
        *(
            sa.select(
                t.kind,
                (moment - t.created_at if state is _QUEUED else sa.literal(0.0)).label("queued_s"),
                t.attempt,
                (t.lease_until < moment if state is _RUNNING else sa.false()).label("expired"),
                scheduled(operations).label("schedule"),
                # of one that runs, `run_at` says when it was claimed, or nothing
                ((t.run_at if state is _QUEUED else t.deadline - RUN_S) - moment).label("due_in_s"),
            ).where(t.state == state)
            for state in (_QUEUED, _RUNNING)
        )
    )
    found = conn.execute(open_).all()
    asked_for = [row for row in found if not row.schedule]
    schedules_due_s = {row.kind: float(row.due_in_s) for row in found if row.schedule}
    return WorkNumbers(
        operations={
            (row.kind, State(row.state)): row.n for row in conn.execute(counts) if row.kind not in schedules_due_s
        },
        oldest_queued_s=max((float(row.queued_s) for row in asked_for if row.kind != patient), default=0.0),
        retrying=sum(row.attempt > 1 for row in asked_for),
        leases_expired=sum(bool(row.expired) for row in found),
        workers=sum(WorkerSeen(*row).lives for row in seen(conn, workers)),
        schedules_due_s=schedules_due_s,
    )
