"""Which workers live: each tells so every few seconds, on the database's clock, and takes its row along."""

import os
import socket
import time
import uuid
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import sqlalchemy as sa

from helmbroker.database.clock import now
from helmbroker.database.upsert import insert

TELL_S = 10.0  # how often a worker tells


def define_workers(metadata: sa.MetaData) -> sa.Table:
    """Add the table `workers` to `metadata`; times in seconds since the epoch."""
    return sa.Table(
        "workers",
        metadata,
        sa.Column("owner", sa.String(255), primary_key=True),  # as in the rows that it holds
        sa.Column("host", sa.String(255), nullable=False),
        sa.Column("started_at", sa.Double, nullable=False),
        sa.Column("seen_at", sa.Double, nullable=False),
    )


def seen(conn: sa.Connection, workers: sa.Table) -> Sequence[Sequence[Any]]:
    """All workers: owner, host, when it started and told last, and the present moment."""
    w = workers.c
    query = sa.select(w.owner, w.host, w.started_at, w.seen_at, now(conn)).order_by(w.owner)
    return conn.execute(query).all()


class Presence:
    """One worker of this process, and its row in `workers`."""

    def __init__(self, engine: sa.Engine, workers: sa.Table) -> None:
        self.host = socket.gethostname()
        self.owner = f"{self.host}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
        self._engine, self._workers, self._next = engine, workers, 0.0

    def tell(self) -> None:
        """The worker lives. Writes only every 10 s, however often it is called."""
        if time.monotonic() < self._next:
            return
        into, moment = insert(self._engine.dialect.name, self._workers), now(self._engine)
        row = into.values(owner=self.owner, host=self.host, started_at=moment, seen_at=moment)
        with self._engine.begin() as conn:
            conn.execute(row.on_conflict_do_update(index_elements=["owner"], set_={"seen_at": moment}))
        self._next = time.monotonic() + TELL_S

    def leave(self) -> None:
        """The worker ends. Where the database does not answer, its row is left to grow old."""
        with suppress(sa.exc.SQLAlchemyError), self._engine.begin() as conn:
            conn.execute(self._workers.delete().where(self._workers.c.owner == self.owner))
