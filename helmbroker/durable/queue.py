"""The operations table: who may run what, in which order, and whose writes count.

Safety rests on two things: a partial unique index allows one running operation per subject, and every write
of a worker carries the fence it got with its claim.
"""

import json
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from helmbroker.durable.model import JSON, Conflict, Operation, State, public

_CLAIM_LOCK = 0x64757261  # PostgreSQL advisory lock: claims come one after the other, as on SQLite
# Constants instead of bind parameters, so that the partial indexes are used.
_QUEUED = sa.literal_column(f"'{State.QUEUED}'", sa.String)
_RUNNING = sa.literal_column(f"'{State.RUNNING}'", sa.String)


def define(metadata: sa.MetaData) -> sa.Table:
    """Add the table `operations` to `metadata`; the caller creates it."""

    def index(name: str, *columns: str, state: State, unique: bool = False) -> sa.Index:
        where = sa.text(f"state = '{state}'")
        return sa.Index(
            f"operations_{name}", *columns, unique=unique, sqlite_where=where, postgresql_where=where
        )

    return sa.Table(
        "operations",
        metadata,
        sa.Column(
            "seq", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True
        ),
        sa.Column("id", sa.String(255), nullable=False, unique=True),
        sa.Column("kind", sa.String(64), nullable=False),
        sa.Column("subject", sa.String(255), nullable=False),
        sa.Column("params", sa.Text, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("results", sa.Text, nullable=False, server_default="{}"),
        sa.Column("attempt", sa.Integer, nullable=False, server_default="0"),
        sa.Column("fence", sa.Integer, nullable=False, server_default="0"),
        sa.Column("cancel_reason", sa.Text),
        sa.Column("owner", sa.String(255)),
        sa.Column("lease_until", sa.Double, nullable=False, server_default="0"),
        sa.Column("run_at", sa.Double, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("deadline", sa.Double, nullable=False),
        sa.Column("finished_at", sa.Double),
        sa.CheckConstraint(f"state IN ({', '.join(repr(str(s)) for s in State)})", name="operations_state"),
        index("one_running_per_subject", "subject", state=State.RUNNING, unique=True),
        index("queued", "subject", "seq", state=State.QUEUED),
        sa.Index("operations_subject", "subject", "seq"),
    )


class Queue:
    """Operations in `table`. Methods that take a connection work in the caller's transaction."""

    def __init__(self, engine: sa.Engine, table: sa.Table) -> None:
        self.engine, self._table = engine, table
        self._postgresql = engine.dialect.name == "postgresql"
        seconds = (
            "CAST(extract(epoch FROM clock_timestamp()) AS double precision)"
            if self._postgresql
            else "((julianday('now') - 2440587.5) * 86400.0)"
        )
        self._now: sa.ColumnElement[float] = sa.literal_column(seconds, sa.Double)

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
        body = json.dumps(params, sort_keys=True, allow_nan=False)
        insert = postgresql.insert if self._postgresql else sqlite.insert
        row: dict[str, Any] = {
            "id": id,
            "kind": kind,
            "subject": subject,
            "params": body,
            "state": State.QUEUED,
        }
        times = {"run_at": self._now, "created_at": self._now, "deadline": self._now + timeout_s}
        conn.execute(
            insert(self._table)
            .values(**row, **times, description=public(description))
            .on_conflict_do_nothing(index_elements=["id"])
        )
        operation = self.get(conn, id)
        if (
            operation is None
            or (operation.kind, operation.subject) != (kind, subject)
            or operation.params != json.loads(body)
        ):
            raise Conflict(f"operation {id} exists already, with another kind, subject or parameters")
        return operation

    def get(self, conn: sa.Connection, id: str) -> Operation | None:  # noqa: A002 - the word of the row
        """The operation with this id."""
        row = conn.execute(sa.select(self._table).where(self._table.c.id == id)).first()
        return None if row is None else _read(row)

    def latest(self, conn: sa.Connection, subject: str) -> Operation | None:
        """The operation of `subject` that was enqueued last."""
        t = self._table.c
        row = conn.execute(
            sa.select(self._table).where(t.subject == subject).order_by(t.seq.desc()).limit(1)
        ).first()
        return None if row is None else _read(row)

    def cancel(
        self, conn: sa.Connection, subject: str, *, description: str, only: str | None = None
    ) -> list[str]:
        """End what waits for `subject` at once, and ask what runs to end. Returns the ids of both.

        `only`: the id of the one operation meant.

        What is queued is CANCELLED when this returns, without the worker's `on_finish`; what runs keeps its place
        until its worker, or the worker that takes it over, has ended it.
        """
        t, reason = self._table.c, public(description)
        queued = t.state == State.QUEUED
        # One statement: an operation cannot slip through between "queued" and "running".
        statement = (
            self._table.update()
            .where(t.subject == subject, t.state.in_([State.QUEUED, State.RUNNING]))
            .where(sa.true() if only is None else t.id == only)
            .values(
                cancel_reason=sa.func.coalesce(t.cancel_reason, reason),
                state=sa.case((queued, State.CANCELLED), else_=t.state),
                description=sa.case((queued, reason), else_=t.description),
                finished_at=sa.case((queued, self._now), else_=t.finished_at),
            )
        )
        return list(conn.scalars(statement.returning(t.id)))

    def version(self, conn: sa.Connection) -> object:
        """On SQLite: a value that changes when another connection has written; else None."""
        return None if self._postgresql else conn.exec_driver_sql("PRAGMA data_version").scalar()

    def due_in_s(self, conn: sa.Connection, kinds: frozenset[str]) -> float | None:
        """Seconds until an operation can be claimed (0 or less: now), None when there is none."""
        row = conn.execute(self._candidate(kinds)).first()
        return None if row is None else float(row.due_in_s)

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
            row = conn.execute(
                self._table.update()
                .where(t.seq == found.seq, t.state == found.state, t.fence == found.fence)
                .values(state=State.RUNNING, owner=owner, lease_until=self._now + lease_s)
                .values(fence=t.fence + 1, attempt=t.attempt + 1)
                .returning(self._table, (t.deadline - self._now).label("remaining_s"))
            ).first()
            return None if row is None else (_read(row), float(row.remaining_s))

    def held(self, conn: sa.Connection, fences: Mapping[int, int]) -> dict[int, bool]:
        """Of the operations `fences` (seq -> fence): those still held under it, and whether each is to be cancelled."""
        t = self._table.c
        rows = conn.execute(sa.select(t.seq, t.cancel_reason).where(*self._ours(fences)))
        return {row.seq: row.cancel_reason is not None for row in rows}

    def renew(self, conn: sa.Connection, fences: Mapping[int, int], lease_s: float) -> set[int]:
        """Hold them for `lease_s` seconds from now; returns which. Rows that a transaction has locked are left out."""
        free = sa.select(self._table.c.seq).where(*self._ours(fences)).with_for_update(skip_locked=True)
        statement = self._table.update().where(self._table.c.seq.in_(free.scalar_subquery()))
        return set(
            conn.scalars(statement.values(lease_until=self._now + lease_s).returning(self._table.c.seq))
        )

    def lock(self, conn: sa.Connection, operation: Operation) -> bool:
        """Whether the operation is still held under its fence; if so, it stays so until this transaction ends."""
        ours = sa.select(self._table.c.seq).where(*self._ours({operation.seq: operation.fence}))
        return conn.execute(ours.with_for_update()).first() is not None

    def note(self, conn: sa.Connection, operation: Operation, description: str) -> None:
        self._write(conn, operation, description=description)

    def save(self, conn: sa.Connection, operation: Operation, results: Mapping[str, JSON]) -> None:
        self._write(conn, operation, results=json.dumps(results, allow_nan=False))

    def finish(self, conn: sa.Connection, operation: Operation, state: State, description: str) -> Operation:
        """End it. A CANCELLED one gets the description that came with the cancel."""
        text: Any = public(description)
        if state is State.CANCELLED:
            text = sa.func.coalesce(self._table.c.cancel_reason, text)
        return self._write(conn, operation, state=state, description=text, finished_at=self._now, owner=None)

    def requeue(self, conn: sa.Connection, operation: Operation, after_s: float, *, description: str | None = None,
                counts: bool) -> None:  # fmt: skip
        """Back to its place in the queue, due in `after_s` seconds; at once when a cancel waits for it."""
        t = self._table.c
        due = sa.case((t.cancel_reason.is_(None), self._now + after_s), else_=0.0)
        values: dict[str, Any] = {"state": State.QUEUED, "run_at": due, "owner": None}
        if description is not None:
            values["description"] = public(description)
        self._write(conn, operation, **values, attempt=t.attempt if counts else t.attempt - 1)

    def hand_back(self, conn: sa.Connection, operation: Operation) -> None:
        """Let any worker go on with it now; this claim does not count as an attempt."""
        self._write(conn, operation, lease_until=0.0, owner=None, attempt=self._table.c.attempt - 1)

    def _write(self, conn: sa.Connection, operation: Operation, **values: Any) -> Operation:
        ours = self._ours({operation.seq: operation.fence})
        return _read(
            conn.execute(self._table.update().where(*ours).values(**values).returning(self._table)).one()
        )

    def _ours(self, fences: Mapping[int, int]) -> tuple[sa.ColumnElement[bool], ...]:
        t = self._table.c
        return t.state == _RUNNING, sa.tuple_(t.seq, t.fence).in_(list(fences.items()))

    def _candidate(self, kinds: frozenset[str]) -> sa.Select[Any]:
        """What is due first: an operation whose lease ends, or the head of a subject's line where none runs."""
        t, running, earlier = self._table.c, self._table.alias().c, self._table.alias().c
        leased = sa.select(t.seq, t.state, t.fence, t.lease_until.label("due")).where(t.state == _RUNNING)
        heads = sa.select(t.seq, t.state, t.fence, t.run_at.label("due")).where(
            t.state == _QUEUED,
            ~sa.exists().where(running.subject == t.subject, running.state == _RUNNING),
            ~sa.exists().where(earlier.subject == t.subject, earlier.state == _QUEUED, earlier.seq < t.seq),
        )
        # A kind this worker does not know is left to a newer worker; a cancelled one needs no handler.
        mine = sa.or_(t.kind.in_(sorted(kinds)), t.cancel_reason.is_not(None))
        found = sa.union_all(leased.where(mine), heads.where(mine)).subquery().c
        return (
            sa.select(found.seq, found.state, found.fence, (found.due - self._now).label("due_in_s"))
            .order_by(found.due, found.seq)
            .limit(1)
        )


def _read(row: sa.Row[Any]) -> Operation:
    return Operation(
        seq=row.seq,
        id=row.id,
        kind=row.kind,
        subject=row.subject,
        params=json.loads(row.params),
        state=State(row.state),
        description=row.description,
        results=json.loads(row.results),
        attempt=row.attempt,
        fence=row.fence,
        cancel_requested=row.cancel_reason is not None,
        created_at=row.created_at,
        deadline=row.deadline,
        finished_at=row.finished_at,
    )
