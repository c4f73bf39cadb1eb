"""The operations table: who may run what, in which order, and whose writes count.

Safety rests on two things: the database refuses to let two run that exclude each other (see `tables`), and every
write of a worker carries the fence that it got with its claim.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeAlias

import sqlalchemy as sa

from helmbroker.database import insert, now
from helmbroker.durable.model import JSON, SCHEDULE, Conflict, LeaseLost, Operation, State, plain, public

OnFinish: TypeAlias = Callable[[sa.Connection, Operation], None]
Claimed: TypeAlias = tuple[Operation, float]  # and the seconds until its deadline
_CLAIM_LOCK = 0x64757261  # PostgreSQL advisory lock: claims come one after the other, as on SQLite
RUN_S = 3600.0  # what one run of a schedule may take
_ALIVE_S = 1.0  # who renews a lease so long after its claim was not killed by the operation at once
_NEW = {"results": {}, "attempt": 0, "fence": 0, "lease_until": 0.0, "cancel_requested": False}
# Constants instead of bind parameters, so that the partial indexes are used.
_QUEUED, _RUNNING = (sa.literal_column(f"'{s}'", sa.String) for s in (State.QUEUED, State.RUNNING))


class Queue:
    """Operations in `table`. Methods that take a connection work in the caller's transaction.

    `carried`: what is kept as `carrier` of an operation, asked for where it is enqueued.
    """

    def __init__(self, engine: sa.Engine, table: sa.Table, carried: Callable[[], dict[str, str]] = dict) -> None:
        self.engine, self._table, self._postgresql = engine, table, engine.dialect.name == "postgresql"
        self._now, self._carried = now(engine), carried
        self.workers = table.metadata.tables["workers"]
        # Made once: that takes longer than to run them.
        self._candidate, t = self._candidates(), table.c
        runs, this = t.state == _RUNNING, (t.seq == sa.bindparam("of"), t.fence == sa.bindparam("under"))
        self._lock = sa.select(table).where(runs, *this).with_for_update(key_share=True)
        self._write = table.update().where(runs, *this).returning(table)
        worked = sa.and_(runs, t.run_at == 0.0, t.deadline > self._now)
        taken = {"state": State.RUNNING, "attempt": sa.case((worked, 1), else_=t.attempt + 1), "fence": t.fence + 1}
        taken.update(owner=sa.bindparam("by"), run_at=self._now, lease_until=self._now + sa.bindparam("lease_s"))
        # All of it again: its worker may have ended it since it was read, or renewed its lease.
        free = sa.or_(t.state == _QUEUED, t.lease_until <= self._now)
        take = table.update().where(t.state == sa.bindparam("was"), *this, free).values(taken)
        self._take = take.returning(table, t.deadline - self._now)
        end, again = self._now + sa.bindparam("timeout_s"), self._now + sa.bindparam("every_s")
        new = insert(engine.dialect.name, table).values(run_at=self._now, created_at=self._now, deadline=end)
        self._add = new.on_conflict_do_nothing(index_elements=["id"]).returning(table)
        kept = {"params": new.excluded.params, "cancel_requested": False}
        kept.update(state=sa.case((runs, t.state), else_=_QUEUED), deadline=sa.case((runs, t.deadline), else_=end))
        kept["run_at"] = sa.case((t.run_at > again, again), else_=t.run_at)
        self._keep = new.on_conflict_do_update(index_elements=["id"], set_=kept)

    def enqueue(
        self,
        conn: sa.Connection,
        *,
        id: str,  # noqa: A002 - the word of the row
        kind: str,
        subject: str,
        params: Mapping[str, JSON],
        timeout_s: float,
        lane: str = "",
    ) -> Operation:
        """Add an operation that has `timeout_s` seconds from now on; or read the one with this id.

        Without `lane` it runs alone on its subject. With one it runs beside those of other lanes, never beside one
        that runs alone; within a lane, and where one of two runs alone, who came first goes first.
        Raises Conflict when the id is taken by another kind, subject or params.
        """
        asked = plain(dict(params))
        values = {"id": id, "kind": kind, "subject": subject, "params": asked, "lane": lane, "timeout_s": timeout_s}
        values |= {"state": State.QUEUED, "description": "waiting for its turn", "carrier": self._carried(), **_NEW}
        row = conn.execute(self._add, values).first()
        row = row or conn.execute(sa.select(self._table).where(self._table.c.id == id)).one()
        if (row.kind, row.subject, row.params) != (kind, subject, asked):
            raise Conflict(f"operation {id} exists already, with another kind, subject or parameters")
        return read_row(row)

    def schedule(self, conn: sa.Connection, kind: str, every_s: float) -> None:
        """Have `kind` run now, and again `every_s` seconds after each end: one operation that never finishes.

        Where it is known already, only its period changes. `finished_at` is when the last run ended, the
        description how; a run may take an hour.
        """
        name, times = f"{SCHEDULE}{kind}", {"timeout_s": every_s + RUN_S, "every_s": every_s}
        values = {"id": name, "kind": kind, "subject": name, "params": {"every_s": every_s}, "lane": ""} | times
        conn.execute(self._keep, values | {"state": State.QUEUED, "description": "not run yet", **_NEW})

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
        end = {"state": str(State.CANCELLED), "description": reason, "finished_at": self._now}
        values: dict[str, Any] = {name: sa.case((queued, value), else_=t[name]) for name, value in end.items()}
        values |= {"cancel_requested": True, "cancel_reason": sa.func.coalesce(t.cancel_reason, reason)}
        which = t.subject == subject, t.state.in_([_QUEUED, _RUNNING]), t.id == (t.id if only is None else only)
        return list(conn.scalars(self._table.update().where(*which).values(values).returning(t.id)))

    def version(self, conn: sa.Connection) -> object:
        """On SQLite a value that changes when another connection has written; else None."""
        return None if self._postgresql else conn.exec_driver_sql("PRAGMA data_version").scalar()

    def due_in_s(self, conn: sa.Connection, kinds: frozenset[str], limit: int | None = None) -> float:
        """Seconds until an operation can be claimed (0 or less: now; infinite: there is none)."""
        row = conn.execute(self._candidate, {"kinds": sorted(kinds), "most": limit}).first()
        return float("inf") if row is None else float(row.due_in_s)

    def claim(self, owner: str, kinds: frozenset[str], lease_s: float, limit: int | None = None) -> Claimed | None:
        """Take the operation that is due, for `lease_s` seconds, unless `limit` are held by whatever workers.

        Every claim is one more attempt. After a worker that died or froze at work, it is the first one again: that
        worker had renewed its lease, or finished a step. Not after the deadline: nothing is tried for ever.
        """
        with self.engine.begin() as conn:
            if self._postgresql:
                conn.execute(sa.select(sa.func.pg_advisory_xact_lock(_CLAIM_LOCK)))
            found = conn.execute(self._candidate, {"kinds": sorted(kinds), "most": limit}).first()
            if found is None or found.due_in_s > 0:
                return None
            which = {"of": found.seq, "was": found.state, "under": found.fence}
            row = conn.execute(self._take, which | {"by": owner, "lease_s": lease_s}).first()
            return None if row is None else (read_row(row), float(row[-1]))

    def renew(self, fences: Mapping[int, int], lease_s: float) -> dict[int, tuple[bool, float]]:
        """Hold operations (seq -> fence) for `lease_s` seconds from now; a lease that is over stays over.

        Of those still ours: whether they are to be cancelled, and the seconds their lease has left, which are
        fewer where a transaction has locked the row: nobody waits for that here.
        """
        t = self._table.c
        ours = t.state == _RUNNING, sa.tuple_(t.seq, t.fence).in_(list(fences.items()))
        free = sa.select(t.seq).where(*ours, t.lease_until > self._now)
        mine = t.seq.in_(free.with_for_update(skip_locked=True, key_share=True).scalar_subquery())
        with self.engine.begin() as conn:
            at_work = sa.case((self._now - t.run_at > _ALIVE_S, 0.0), else_=t.run_at)
            conn.execute(self._table.update().where(mine).values(lease_until=self._now + lease_s, run_at=at_work))
            rows = conn.execute(sa.select(t.seq, t.cancel_requested, t.lease_until - self._now).where(*ours))
            return {seq: (cancel, float(left_s)) for seq, cancel, left_s in rows}

    def lock(self, conn: sa.Connection, operation: Operation) -> Operation:
        """Until this transaction ends, the operation is held under its fence. Raises LeaseLost when it is not."""
        return self._ours(conn, self._lock, operation)

    def write(self, conn: sa.Connection, operation: Operation, **values: Any) -> Operation:
        """As `lock`, and change columns."""
        return self._ours(conn, self._write.values(**values), operation)

    def finish(
        self, conn: sa.Connection, operation: Operation, state: State, description: str, on_finish: OnFinish
    ) -> Operation:
        """End it, or this run of a schedule, which is queued again; `state` of what is returned is that of its end.

        A CANCELLED one gets the description that came with the cancel.
        """
        reason = sa.func.coalesce(self._table.c.cancel_reason, public(description))
        text: Any = reason if state is State.CANCELLED else public(description)
        if (every_s := operation.every_s) is not None:
            run = {"fence": operation.fence, "finished_at": self._now, "deadline": self._now + every_s + RUN_S}
            return replace(self.requeue(conn, operation, every_s, **_NEW | run, description=text), state=state)
        after = self.write(conn, operation, state=state, description=text, finished_at=self._now, owner=None)
        on_finish(conn, after)
        return after

    def requeue(self, conn: sa.Connection, operation: Operation, after_s: float, **values: Any) -> Operation:
        """Back to its place in the queue, due in `after_s` seconds; at once when a cancel waits for it."""
        due = sa.case((self._table.c.cancel_requested, 0.0), else_=self._now + after_s)
        return self.write(conn, operation, state=State.QUEUED, run_at=due, owner=None, **values)

    def _ours(self, conn: sa.Connection, statement: sa.Executable, operation: Operation) -> Operation:
        row = conn.execute(statement, {"of": operation.seq, "under": operation.fence}).first()
        if row is None:
            raise LeaseLost
        return read_row(row)

    def _candidates(self) -> sa.Select[Any]:
        """What is due first: an operation whose lease ends, or one that nothing earlier or running excludes.

        While as many run as may (`most`; NULL: any number), nothing is due before the first of their leases ends.
        """
        t, running, earlier, held = self._table.c, *(self._table.alias().c for _ in range(3))
        # A kind this worker does not know is left to a newer worker; a cancelled one needs no handler.
        mine = sa.or_(t.kind.in_(sa.bindparam("kinds", expanding=True)), t.cancel_requested)
        leased = sa.select(t.seq, t.state, t.fence, t.lease_until.label("due")).where(t.state == _RUNNING, mine)
        heads = sa.select(t.seq, t.state, t.fence, t.run_at.label("due")).where(t.state == _QUEUED, mine)
        heads = heads.where(~_excluded(t, running, running.state == _RUNNING))
        heads = heads.where(~_excluded(t, earlier, earlier.state == _QUEUED, earlier.seq < t.seq))
        first = (each.order_by("due", t.seq).limit(1).subquery() for each in (leased, heads))
        found = sa.union_all(*map(sa.select, first)).subquery().c
        until = sa.case(
            (sa.func.count() >= sa.bindparam("most", type_=sa.Integer), sa.func.min(held.lease_until)), else_=0.0
        )
        full = sa.select(until).where(held.state == _RUNNING, held.lease_until > self._now).scalar_subquery()
        due_in_s = (sa.case((full > found.due, full), else_=found.due) - self._now).label("due_in_s")
        return sa.select(found.seq, found.state, found.fence, due_in_s).order_by(found.due, found.seq).limit(1)


def _excluded(one: Any, other: Any, *where: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    """Whether there is another row beside which this one must not run: Operation.excludes in SQL.

    OFFSET: so PostgreSQL looks it up in an index, row by row. A join of that it takes for small, and it is not.
    The order: an index that begins with the subject has it; to a table that was empty when it was counted, all
    indexes look the same.
    """
    same = (one.subject == other.subject, sa.or_(one.lane == other.lane, one.lane == "", other.lane == ""), *where)
    return sa.select(other.seq).where(*same).order_by(other.seq).offset(0).exists()


def read_row(row: sa.Row[Any]) -> Operation:
    """The operation in a row that has all columns of the table."""
    told = row._mapping  # noqa: SLF001  # public; half as dear as attributes, for lists of many
    return Operation(**{name: told[name] for name in Operation.__dataclass_fields__} | {"state": State(row.state)})
