"""Rows of which each is authenticated together with all before it, under a key that no dump shows.

Where it ends is remembered beside it and authenticated as well: without that, the last rows could be taken away.
Decision 0031 says what is found, and what is not.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from helmbroker.audit import Verdict, append_only
from helmbroker.database import now

KEY_BYTES = 32
FIRST = "0" * 64  # what stands for the hash before the first row
BROKEN = "broken"  # instead of a seal, for ever: what was found there did not fit
_HEAD = "head"
_AT_ONCE = 1000


def define(metadata: sa.MetaData, *own: sa.Column[Any]) -> tuple[sa.Table, sa.Table]:
    """The tables `audit`, with what a program tells of its own, and `audit_head`."""
    audit = sa.Table(
        "audit",
        metadata,
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=False),
        sa.Column("at", sa.Double, nullable=False),  # seconds since the epoch, on the database's clock
        *own,
        sa.Column("detail", sa.Text, nullable=False),  # public: JSON
        sa.Column("hash", sa.String(64), nullable=False),  # of this row and all before it
    )
    append_only.attach(audit)
    # where the audit ends: one row
    head = sa.Table(
        "audit_head",
        metadata,
        sa.Column("name", sa.String(16), primary_key=True),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("seal", sa.String(64), nullable=False),  # authenticates the two before
    )
    return audit, head


class Chain:
    """The rows of one database."""

    def __init__(self, audit: sa.Table, head: sa.Table, key: bytes) -> None:
        """audit, head: those of `define`. key: of KEY_BYTES."""
        self._audit, self._head, self._key = audit, head, key
        self._signed = [column.name for column in audit.c if column.name != "hash"]
        # made once: that takes longer than to run them
        self._add = audit.insert()
        to: dict[str, Any] = {"seq": sa.bindparam("to"), "hash": sa.bindparam("last"), "seal": sa.bindparam("by")}
        self._move = head.update().values(to)
        self._end: sa.Select[Any] | None = None  # when the database's kind is known

    def __repr__(self) -> str:
        return "Chain()"

    def begin(self, conn: sa.Connection) -> None:
        """See that there is an end to add to. The caller is alone."""
        audit, head = self._audit, self._head
        if conn.execute(sa.select(head.c.seq)).first() is not None:
            return
        last = conn.execute(sa.select(audit.c.seq, audit.c.hash).order_by(audit.c.seq.desc()).limit(1)).first()
        seq, digest = (0, FIRST) if last is None else (last.seq, last.hash)
        seal = self._seal(seq, digest) if last is None else BROKEN
        conn.execute(head.insert().values(name=_HEAD, seq=seq, hash=digest, seal=seal))

    def append(self, conn: sa.Connection, told: Sequence[Mapping[str, Any]]) -> None:
        """Rows without seq, at and hash; `detail` is an object.

        In the transaction of what they tell of, the last thing that it does: others wait for it from now on.
        """
        if self._end is None:
            head = self._head.c
            self._end = sa.select(head.seq, head.hash, head.seal, now(conn).label("at")).with_for_update()
        end = conn.execute(self._end).one()
        whole = hmac.compare_digest(end.seal, self._seal(end.seq, end.hash))
        previous, rows = str(end.hash), []
        for seq, each in enumerate(told, start=end.seq + 1):
            detail = json.dumps(dict(each["detail"]), sort_keys=True)
            row = {"seq": seq, "at": float(end.at), **each, "detail": detail}
            row["hash"] = previous = self._hash(previous, row)
            rows.append(row)
        conn.execute(self._add, rows)
        seq = end.seq + len(rows)
        seal = self._seal(seq, previous) if whole else BROKEN
        conn.execute(self._move, {"to": seq, "last": previous, "by": seal})

    def entries(
        self, conn: sa.Connection, *where: sa.ColumnElement[bool], newest: int | None = None
    ) -> Iterator[dict[str, Any]]:
        """In their order, `detail` as an object again. newest: only so many, the last ones."""
        if newest is not None:
            seq = self._audit.c.seq
            some = sa.select(seq).where(*where).order_by(seq.desc()).limit(newest)
            where = (*where, seq.in_(some))
        for row in self._rows(conn, *where):
            yield {**row, "detail": json.loads(row["detail"])}

    def verify(self, conn: sa.Connection, anchor: tuple[int, str] | None = None) -> Verdict:
        """Whether all rows are there as they were written. anchor: number and hash of one that was seen before."""
        faults, number = [], 0
        seq, previous = 0, FIRST
        for row in self._rows(conn):
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
        head = conn.execute(sa.select(self._head)).first()
        if head is None:
            yield "the end of the audit is not remembered any more: the row of audit_head was removed"
        elif not hmac.compare_digest(head.seal, self._seal(head.seq, head.hash)):
            yield "the remembered end of the audit was changed: rows at its end may have been removed"
        elif head.seq > seq:
            yield f"{_words(seq + 1, head.seq)} missing: removed at the end"
        elif (head.seq, head.hash) != (seq, digest):
            yield f"{_words(head.seq + 1, seq)} not written by this program: added behind the end"

    def _hash(self, previous: str, row: Any) -> str:
        content = json.dumps([previous, *(row[name] for name in self._signed)], separators=(",", ":"))
        return hmac.new(self._key, content.encode(), hashlib.sha256).hexdigest()

    def _seal(self, seq: int, digest: str) -> str:
        return hmac.new(self._key, f"end:{seq}:{digest}".encode(), hashlib.sha256).hexdigest()

    def _rows(self, conn: sa.Connection, *where: sa.ColumnElement[bool]) -> Iterator[sa.RowMapping]:
        seq, column = -1, self._audit.c.seq
        query = sa.select(self._audit).where(*where).order_by(column).limit(_AT_ONCE)
        while rows := conn.execute(query.where(column > seq)).mappings().all():
            yield from rows
            seq = rows[-1]["seq"]


def _words(first: int, last: int) -> str:
    return f"row {first} is" if first == last else f"rows {first} to {last} are"
