"""The operations table: who may run what, in which order, and whose writes count.

Safety rests on two things: a partial unique index allows one running operation per subject, and every write
of a worker carries the fence that it got with its claim.
"""

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, TypeAlias

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from helmbroker.database import now
from helmbroker.durable.model import JSON, Conflict, Operation, State, plain, public

OnFinish: TypeAlias = Callable[[sa.Connection, Operation], None]
_CLAIM_LOCK = 0x64757261  # PostgreSQL advisory lock: claims come one after the other, as on SQLite
# Constants instead of bind parameters, so that the partial indexes are used.
_QUEUED, _RUNNING = (sa.literal_column(f"'{s}'", sa.String) for s in (State.QUEUED, State.RUNNING))


def define(metadata: sa.MetaData) -> sa.Table:
    """Add the table `operations` to `metadata`; the caller creates it."""

    queued, running = (sa.text(f"state = '{state}'") for state in (State.QUEUED, State.RUNNING))

    def columns(names: str, type_: sa.types.TypeEngine[Any], *, nullable: bool = False) -> list[sa.Column[Any]]:
        return [sa.Column(name, type_, nullable=nullable) for name in names.split()]

    return sa.Table(
        "operations",
        metadata,
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("id", sa.String(255), nullable=False, unique=True),
        *columns("kind subject state", sa.String(255)),
        *columns("description", sa.Text()),
        *columns("params results", sa.JSON()),
        *columns("attempt fence", sa.Integer()),
        *columns("cancel_requested", sa.Boolean()),
        *columns("cancel_reason owner", sa.Text(), nullable=True),
        *columns("lease_until run_at created_at deadline", sa.Double()),
        *columns("finished_at", sa.Double(), nullable=True),
        sa.CheckConstraint(f"state IN {tuple(map(str, State))}", name="operations_state"),
        sa.Index("operations_running", "subject", unique=True, sqlite_where=running, postgresql_where=running),
        sa.Index("operations_queued", "subject", "seq", sqlite_where=queued, postgresql_where=queued),
        sa.Index("operations_subject", "subject", "seq"),
        sqlite_autoincrement=True,  # seq and fence together are never used again
    )


class Queue:
    """Operations in `table`. Methods that take a connection work in the caller's transaction."""

    def __init__(self, engine: sa.Engine, table: sa.Table) -> None:
        self.engine, self._table, self._postgresql = engine, table, engine.dialect.name == "postgresql"
        self._now = now(engine)
        # Made once: that takes longer than to run it.
        new = (postgresql if self._postgresql else sqlite).insert(table).returning(table)
        new = new.values(run_at=self._now, created_at=self._now, deadline=self._now + sa.bindparam("timeout_s"))
        self._add = new.on_conflict_do_nothing(index_elements=["id"])

    def enqueue(
        self,
        conn: sa.Connection,
        *,
        id: str,  # noqa: A002 - the word of the row
        kind: str,
        subject: str,
        params: Mapping[str, JSON],
        timeout_s: float,
        description: str = "waiting for its turn",
    ) -> Operation:
        """Add an operation that has `timeout_s` seconds from now on; or read the one with this id.

        Raises Conflict when the id is taken by another kind, subject or params.
        """
        asked = plain(dict(params))
        values: dict[str, Any] = {"id": id, "kind": kind, "subject": subject, "params": asked}
        values |= {"state": State.QUEUED, "description": public(description), "cancel_requested": False}
        values |= {"results": {}, "attempt": 0, "fence": 0, "lease_until": 0.0, "timeout_s": timeout_s}
        row = conn.execute(self._add, values).first()
        row = row or conn.execute(sa.select(self._table).where(self._table.c.id == id)).one()
        if (row.kind, row.subject, row.params) != (kind, subject, asked):
            raise Conflict(f"operation {id} exists already, with another kind, subject or parameters")
        return read_row(row)

    def get(self, conn: sa.Connection, id: str) -> Operation | None:  # noqa: A002 - the word of the row
        """The operation with this id."""
        row = conn.execute(sa.select(self._table).where(self._table.c.id == id)).first()
        return None if row is None else read_row(row)

    def cancel(self, conn: sa.Connection, subject: str, *, description: str, only: str | None = None) -> list[str]:
        """End what waits for `subject` at once, and ask what runs to end. Returns the ids of both.

        `only`: the id of the one operation that is meant.
        What is queued is CANCELLED when this returns, without the worker's `on_finish`. What runs keeps its
        place until its worker, or the worker that takes it over, has ended it.
        """
        t, reason, queued = self._table.c, public(description), self._table.c.state == State.QUEUED
        # One statement: an operation cannot slip through between "queued" and "running".
        statement = self._table.update().values(
            cancel_requested=True,
            cancel_reason=sa.func.coalesce(t.cancel_reason, reason),
            state=sa.case((queued, str(State.CANCELLED)), else_=t.state),
            description=sa.case((queued, reason), else_=t.description),
            finished_at=sa.case((queued, self._now), else_=t.finished_at),
        )
        statement = statement.where(t.subject == subject, t.state.in_([State.QUEUED, State.RUNNING]))
        return list(conn.scalars(statement.where(t.id == (t.id if only is None else only)).returning(t.id)))

    def version(self, conn: sa.Connection) -> object:
        """On SQLite a value that changes when another connection has written; else None."""
        return None if self._postgresql else conn.exec_driver_sql("PRAGMA data_version").scalar()

    def due_in_s(self, conn: sa.Connection, kinds: frozenset[str]) -> float:
        """Seconds until an operation can be claimed (0 or less: now; infinite: there is none)."""
        row = conn.execute(self._candidate(kinds)).first()
        return float("inf") if row is None else float(row.due_in_s)

    def claim(self, owner: str, kinds: frozenset[str], lease_s: float) -> tuple[Operation, float] | None:
        """Take the operation that is due, for `lease_s` seconds. With it: the seconds until its deadline."""
        t = self._table.c
        with self.engine.begin() as conn:
            if self._postgresql:
                conn.execute(sa.select(sa.func.pg_advisory_xact_lock(_CLAIM_LOCK)))
            found = conn.execute(self._candidate(kinds)).first()
            if found is None or found.due_in_s > 0:
                return None
            # State and fence again: its worker may have ended it since it was read.
            claimed = self._table.update().where(t.seq == found.seq, t.state == found.state, t.fence == found.fence)
            claimed = claimed.values(state=State.RUNNING, owner=owner, lease_until=self._now + lease_s)
            claimed = claimed.values(fence=t.fence + 1, attempt=t.attempt + 1)
            row = conn.execute(claimed.returning(self._table, t.deadline - self._now)).first()
            return None if row is None else (read_row(row), float(row[-1]))

    def renew(self, fences: Mapping[int, int], lease_s: float) -> dict[int, tuple[bool, float]]:
        """Hold operations (seq -> fence) for `lease_s` seconds from now.

        Of those still ours: whether they are to be cancelled, and the seconds their lease has left, which are
        fewer where a transaction has locked the row: nobody waits for that here.
        """
        t, ours = self._table.c, self._ours(fences)
        free = sa.select(t.seq).where(*ours).with_for_update(skip_locked=True, key_share=True).scalar_subquery()
        left = (t.lease_until - self._now).label("left_s")
        with self.engine.begin() as conn:
            conn.execute(self._table.update().where(t.seq.in_(free)).values(lease_until=self._now + lease_s))
            rows = conn.execute(sa.select(t.seq, t.cancel_requested, left).where(*ours))
            return {row.seq: (row.cancel_requested, float(row.left_s)) for row in rows}

    def lock(self, conn: sa.Connection, operation: Operation) -> bool:
        """Whether the operation is held under its fence; if so, it stays so until this transaction ends."""
        ours = sa.select(self._table.c.seq).where(*self._ours({operation.seq: operation.fence}))
        return conn.execute(ours.with_for_update(key_share=True)).first() is not None

    def write(self, conn: sa.Connection, operation: Operation, **values: Any) -> Operation:
        """Change columns of an operation that `lock` has found to be ours."""
        ours = self._table.update().where(*self._ours({operation.seq: operation.fence}))
        return read_row(conn.execute(ours.values(**values).returning(self._table)).one())

    def finish(
        self, conn: sa.Connection, operation: Operation, state: State, description: str, on_finish: OnFinish | None
    ) -> Operation:
        """End it, and tell `on_finish`. A CANCELLED one gets the description that came with the cancel."""
        text: Any = public(description)
        if state is State.CANCELLED:
            text = sa.func.coalesce(self._table.c.cancel_reason, text)
        after = self.write(conn, operation, state=state, description=text, finished_at=self._now, owner=None)
        if on_finish is not None:
            on_finish(conn, after)
        return after

    def requeue(self, conn: sa.Connection, operation: Operation, after_s: float, **values: Any) -> Operation:
        """Back to its place in the queue, due in `after_s` seconds; at once when a cancel waits for it."""
        due = sa.case((self._table.c.cancel_requested, 0.0), else_=self._now + after_s)
        return self.write(conn, operation, state=State.QUEUED, run_at=due, owner=None, **values)

    def hand_back(self, conn: sa.Connection, operation: Operation, **values: Any) -> Operation:
        """Any worker may go on with it now. The fence grows, so that no renewal on its way takes it back."""
        return self.write(conn, operation, lease_until=0.0, fence=operation.fence + 1, owner=None, **values)

    def _ours(self, fences: Mapping[int, int]) -> tuple[sa.ColumnElement[bool], ...]:
        t = self._table.c
        return t.state == _RUNNING, sa.tuple_(t.seq, t.fence).in_(list(fences.items()))

    def _candidate(self, kinds: frozenset[str]) -> sa.Select[Any]:
        """What is due first: an operation whose lease ends, or the head of a line of which none runs."""
        t, running, earlier = self._table.c, self._table.alias().c, self._table.alias().c
        leased = sa.select(t.seq, t.state, t.fence, t.lease_until.label("due")).where(t.state == _RUNNING)
        heads = sa.select(t.seq, t.state, t.fence, t.run_at.label("due")).where(
            t.state == _QUEUED,
            ~sa.exists().where(running.subject == t.subject, running.state == _RUNNING),
            ~sa.exists().where(earlier.subject == t.subject, earlier.state == _QUEUED, earlier.seq < t.seq),
        )
        # A kind this worker does not know is left to a newer worker; a cancelled one needs no handler.
        mine = sa.or_(t.kind.in_(sorted(kinds)), t.cancel_requested)
        found = sa.union_all(leased.where(mine), heads.where(mine)).subquery().c
        due_in_s = (found.due - self._now).label("due_in_s")
        return sa.select(found.seq, found.state, found.fence, due_in_s).order_by(found.due, found.seq).limit(1)


def read_row(row: sa.Row[Any]) -> Operation:
    """The operation in a row that has all columns of the table."""
    return Operation(**{f.name: getattr(row, f.name) for f in fields(Operation)} | {"state": State(row.state)})
