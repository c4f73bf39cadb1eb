"""The audit of the platform side: who did what to which resource of which app. Names of options, never a value.

Operations tell of themselves: what is enqueued has been accepted, so no use case can forget it.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from helmbroker.audit import Actor, Outcome, Verdict, who
from helmbroker.audit.chain import KEY_BYTES, Chain, define
from helmbroker.controller_bridge.model import Kind
from helmbroker.database import at_one_moment
from helmbroker.durable import JSON, Operation, Queue, State
from helmbroker.durable.model import public
from helmbroker.sealing import Keys
from helmbroker.sealing.stored import sealed_fact

AUDIT_KEY = "audit_key"  # a fact
BRIDGE = Actor("bridge")  # by itself: schedules, and the end of operations
_KINDS = frozenset(Kind)
_OUTCOMES = {
    State.SUCCEEDED: Outcome.DONE,
    State.FAILED: Outcome.FAILED,
    State.CANCELLED: Outcome.CANCELLED,
}
_TOLD = ("plan", "options", "env", "version")  # of an operation's parameters: public


@dataclass(frozen=True)
class Event:
    """What happened to which thing. resource: its name; detail: public, as JSON."""

    action: str
    outcome: Outcome
    app: str | None = None
    resource: str | None = None
    operation_id: str | None = None
    detail: Mapping[str, JSON] = field(default_factory=dict)


def define_audit(metadata: sa.MetaData) -> tuple[sa.Table, sa.Table]:
    """Its tables."""
    return define(
        metadata,
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("action", sa.String(64), nullable=False),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("app", sa.Text, index=True),
        sa.Column("resource", sa.Text),
        sa.Column("operation_id", sa.Text),
    )


class Audited:
    """Writes events, and reads what was written. Usable when it has been opened."""

    def __init__(
        self,
        table: sa.Table,
        head: sa.Table,
        reader: sa.Engine,
        named: Callable[[sa.Connection, str], str | None],
    ) -> None:
        """named: the name of the resource of an uuid."""
        self._table, self._head, self._reader, self._named = table, head, reader, named

    def open(self, conn: sa.Connection, facts: sa.Table, keys: Keys) -> None:
        """Find its key, or make one. The caller is alone. Raises KeyRingError."""
        key = sealed_fact(conn, facts, AUDIT_KEY, keys, secrets.token_bytes(KEY_BYTES))
        self._chain = Chain(self._table, self._head, key)
        self._chain.begin(conn)

    def entries(self, *, only: str | None = None, newest: int | None = None) -> Iterator[dict[str, Any]]:
        """Rows in their order; only: of this app."""
        where = [] if only is None else [self._table.c.app == only]
        with self._reader.connect() as conn:
            yield from self._chain.entries(conn, *where, newest=newest)

    def verify(self, anchor: tuple[int, str] | None = None) -> Verdict:
        """See helmbroker.audit.chain."""
        with at_one_moment(self._reader).connect() as conn:
            return self._chain.verify(conn, anchor)

    def tell(self, conn: sa.Connection, event: Event, actor: Actor | None = None) -> None:
        """In the transaction of what it tells of, after all that is locked there: others wait from now on."""
        by = actor or who(BRIDGE)
        row: dict[str, Any] = {**vars(event), "outcome": str(event.outcome), "actor": public(by.name)}
        self._chain.append(conn, [row])

    def accepted(self, conn: sa.Connection, operation: Operation) -> None:
        """An operation has begun."""
        detail = {name: operation.params[name] for name in _TOLD if name in operation.params}
        self.tell(conn, self._about(conn, operation, Outcome.ACCEPTED, detail))

    def ended(self, conn: sa.Connection, operation: Operation) -> None:
        """An operation has ended, in its state; why it failed stands in its description, which is public."""
        detail = {"reason": operation.description} if operation.state is State.FAILED else {}
        self.tell(conn, self._about(conn, operation, _OUTCOMES[operation.state], detail), BRIDGE)

    def _about(
        self, conn: sa.Connection, operation: Operation, outcome: Outcome, detail: Mapping[str, JSON]
    ) -> Event:
        app, uuid = (operation.params.get(name) for name in ("app", "resource"))
        resource = None if uuid is None else self._named(conn, str(uuid))
        return Event(operation.kind, outcome, None if app is None else str(app), resource, operation.id, detail)


class AuditedQueue(Queue):
    """The queue of operations, of which those that users ask for are told to the audit."""

    def __init__(
        self, engine: sa.Engine, table: sa.Table, audited: Audited, carried: Callable[[], dict[str, str]]
    ) -> None:
        super().__init__(engine, table, carried)
        self._audited = audited

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
        operation = super().enqueue(
            conn, id=id, kind=kind, subject=subject, params=params, timeout_s=timeout_s, lane=lane
        )
        if kind in _KINDS:
            self._audited.accepted(conn, operation)
        return operation

    def cancel(self, conn: sa.Connection, subject: str, *, description: str, only: str | None = None) -> list[str]:
        """What had not begun has ended by this; of the others their workers tell."""
        ids = super().cancel(conn, subject, description=description, only=only)
        for operation in filter(None, (self.get(conn, each) for each in ids)):
            if operation.state is State.CANCELLED:
                self._audited.ended(conn, operation)
        return ids
