"""The audit: rows of which each is authenticated together with all before it, under a key that no dump shows.

Where it ends is remembered beside it and authenticated as well: without that, the last rows could be taken away.
Decision 0031 says what is found, and what is not.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa

from helmbroker.broker.domain.audit import Actor, Entry, Event, Outcome, Verdict
from helmbroker.broker.store.schema import audit, audit_head
from helmbroker.database import now
from helmbroker.durable.model import public

FIRST = "0" * 64  # what stands for the hash before the first row
BROKEN = "broken"  # instead of a seal, for ever: what was found there did not fit
_HEAD = "head"
_AT_ONCE = 1000
# made once: that takes longer than to run them
_ADD = audit.insert()
_MOVE = audit_head.update().values(seq=sa.bindparam("to"), hash=sa.bindparam("last"), seal=sa.bindparam("by"))
_SIGNED = [column.name for column in audit.c if column.name != "hash"]


class Audit:
    """key: 32 bytes, by which rows are authenticated."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._end: sa.Select[Any] | None = None  # made once, when the database's kind is known

    def __repr__(self) -> str:
        return "Audit()"

    def begin(self, conn: sa.Connection) -> None:
        """See that there is an end to add to. The caller is alone."""
        if conn.execute(sa.select(audit_head.c.seq)).first() is not None:
            return
        last = conn.execute(sa.select(audit.c.seq, audit.c.hash).order_by(audit.c.seq.desc()).limit(1)).first()
        seq, digest = (0, FIRST) if last is None else (last.seq, last.hash)
        seal = self._seal(seq, digest) if last is None else BROKEN
        conn.execute(audit_head.insert().values(name=_HEAD, seq=seq, hash=digest, seal=seal))

    def append(self, conn: sa.Connection, actor: Actor, events: Sequence[Event]) -> None:
        """In the transaction of what they tell of, the last thing that it does: others wait for it from now on."""
        if self._end is None:
            end = sa.select(audit_head.c.seq, audit_head.c.hash, audit_head.c.seal, now(conn).label("at"))
            self._end = end.with_for_update()
        head = conn.execute(self._end).one()
        whole = hmac.compare_digest(head.seal, self._seal(head.seq, head.hash))
        # providers of logins name people as they like, and databases do not take every character
        name, origin = public(actor.name), None if actor.origin is None else public(actor.origin)
        previous, rows = str(head.hash), []
        for seq, event in enumerate(events, start=head.seq + 1):
            row = {"seq": seq, "at": float(head.at), "actor": name, "origin": origin}
            row |= {"action": event.action, "outcome": str(event.outcome), "instance_id": event.instance_id}
            row |= {"binding_id": event.binding_id, "operation_id": event.operation_id}
            row["detail"] = json.dumps(dict(event.detail), sort_keys=True)
            row["hash"] = previous = self._hash(previous, row)
            rows.append(row)
        conn.execute(_ADD, rows)
        seq = head.seq + len(rows)
        seal = self._seal(seq, previous) if whole else BROKEN
        conn.execute(_MOVE, {"to": seq, "last": previous, "by": seal})

    def verify(self, conn: sa.Connection, anchor: tuple[int, str] | None = None) -> Verdict:
        """Whether all rows are there as they were written. anchor: number and hash of one that was seen before."""
        faults, number = [], 0
        seq, previous = 0, FIRST
        for row in _rows(conn):
            number += 1
            if row["seq"] != seq + 1:
                faults.append(f"{_words(seq + 1, row['seq'] - 1)} missing: removed")
            elif not hmac.compare_digest(row["hash"], self._hash(previous, row)):
                faults.append(f"row {row['seq']} is not what was written there: changed, or in another place")
            if anchor is not None and row["seq"] == anchor[0] and row["hash"] != anchor[1]:
                faults.append(f"row {anchor[0]} is not the one of the anchor: the audit was written anew")
            seq, previous = row["seq"], row["hash"]
        faults += self._faults_at_the_end(conn, seq, previous)
        if anchor is not None and seq < anchor[0]:
            faults.append(f"{_words(seq + 1, anchor[0])} missing: removed since the anchor")
        return Verdict(number, (seq, previous), tuple(faults))

    def _faults_at_the_end(self, conn: sa.Connection, seq: int, digest: str) -> Iterator[str]:
        head = conn.execute(sa.select(audit_head)).first()
        if head is None:
            yield "the end of the audit is not remembered any more: the row of audit_head was removed"
        elif not hmac.compare_digest(head.seal, self._seal(head.seq, head.hash)):
            yield "the remembered end of the audit was changed: rows at its end may have been removed"
        elif head.seq > seq:
            yield f"{_words(seq + 1, head.seq)} missing: removed at the end"
        elif (head.seq, head.hash) != (seq, digest):
            yield f"{_words(head.seq + 1, seq)} not written by the broker: added behind the end"

    def _hash(self, previous: str, row: Any) -> str:
        content = json.dumps([previous, *(row[name] for name in _SIGNED)], separators=(",", ":"))
        return hmac.new(self._key, content.encode(), hashlib.sha256).hexdigest()

    def _seal(self, seq: int, digest: str) -> str:
        return hmac.new(self._key, f"end:{seq}:{digest}".encode(), hashlib.sha256).hexdigest()


def entries(conn: sa.Connection, *, instance_id: str | None = None, newest: int | None = None) -> Iterator[Entry]:
    """In their order. instance_id: only of this one; newest: only so many, the last ones."""
    where = [] if instance_id is None else [audit.c.instance_id == instance_id]
    if newest is not None:
        some = sa.select(audit.c.seq).where(*where).order_by(audit.c.seq.desc()).limit(newest)
        where.append(audit.c.seq.in_(some))
    for row in _rows(conn, *where):
        event = Event(
            row["action"],
            Outcome(row["outcome"]),
            row["instance_id"],
            row["binding_id"],
            row["operation_id"],
            json.loads(row["detail"]),
        )
        yield Entry(row["seq"], row["at"], Actor(row["actor"], row["origin"]), event, row["hash"])


def _rows(conn: sa.Connection, *where: sa.ColumnElement[bool]) -> Iterator[sa.RowMapping]:
    seq = -1
    query = sa.select(audit).where(*where).order_by(audit.c.seq).limit(_AT_ONCE)
    while rows := conn.execute(query.where(audit.c.seq > seq)).mappings().all():
        yield from rows
        seq = rows[-1]["seq"]


def _words(first: int, last: int) -> str:
    return f"row {first} is" if first == last else f"rows {first} to {last} are"
