"""Which of some operations have ended, asked again and again: the port Watch."""

from __future__ import annotations

import sqlalchemy as sa

from helmbroker.broker.store.schema import operations
from helmbroker.durable import Queue, State

_ENDS = [state for state in State if state.finished]


class SqlWatch:
    """On one connection that does nothing else. A file of SQLite that nobody has written to is not queried."""

    def __init__(self, conn: sa.Connection, queue: Queue) -> None:
        self._conn, self._queue = conn, queue
        self._version: object = None
        self._going_on: frozenset[str] = frozenset()  # what had not ended at that version

    def finished(self, operation_ids: frozenset[str]) -> frozenset[str]:
        with self._conn.begin():
            version = self._queue.version(self._conn)
            if version is not None and version == self._version and operation_ids <= self._going_on:
                return frozenset()
            ended = operations.c.id.in_(sorted(operation_ids)), operations.c.state.in_(_ENDS)
            found = frozenset(self._conn.scalars(sa.select(operations.c.id).where(*ended)))
        self._version, self._going_on = version, operation_ids - found
        return found
