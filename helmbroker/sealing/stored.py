"""Sealed secrets in tables: the value by which a key ring is checked, and how all come under another key."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import sqlalchemy as sa

from helmbroker.database import fact, reader
from helmbroker.sealing.envelope import Keys, wrapped_by
from helmbroker.sealing.wrapper import KeyRingError

_AT_ONCE = 100
_CHECK = "key_check"


@dataclass(frozen=True)
class Batch:
    """Some secrets were looked at. changed: how many have come under the active key; faults: which do not open."""

    changed: int
    faults: Sequence[str] = ()


class Holding(Protocol):
    """Somewhere where sealed secrets are kept."""

    @property
    def name(self) -> str: ...

    def key_ids(self) -> Iterator[str]:
        """By which key each secret is wrapped; empty for what is no sealed secret."""
        ...

    def rewrap(self, keys: Keys) -> Iterator[Batch]:
        """Bring all of it under the active key, a few at a time, while others read and write it.

        What somebody else writes meanwhile is his, and may need another round. It may end anywhere.
        """
        ...


@dataclass(frozen=True)
class Form:
    """How ciphertext is written into a column."""

    write: Callable[[bytes], Any]
    read: Callable[[Any], bytes]


RAW = Form(bytes, bytes)
HEX = Form(bytes.hex, bytes.fromhex)


class Column:
    """The port Holding, over one column. place: where the secret of a row belongs, by the row's primary key."""

    def __init__(
        self,
        engine: sa.Engine,
        column: sa.Column[Any],
        place: Callable[..., str],
        form: Form = RAW,
        where: sa.ColumnElement[bool] | None = None,
    ) -> None:
        self._engine, self._column, self._place, self._form = engine, column, place, form
        self._row = list(column.table.primary_key.columns)
        self._some = column.is_not(None) if where is None else where

    @property
    def name(self) -> str:
        return str(self._column)

    def key_ids(self) -> Iterator[str]:
        for rows in self._batches():
            yield from (wrapped_by(self._sealed(row[-1])) for row in rows)

    def rewrap(self, keys: Keys) -> Iterator[Batch]:
        for rows in self._batches():
            changes: list[tuple[Sequence[Any], Any, Any]] = []
            faults = []
            for row, value in ((each[:-1], each[-1]) for each in rows):
                try:
                    new = keys.rewrapped(self._sealed(value), self._place(*row))
                except KeyRingError as error:
                    faults.append(str(error))
                    continue
                if new is not None:
                    changes.append((row, value, self._form.write(new)))
            began = time.monotonic()
            yield Batch(self._write(changes), faults)
            if changes:  # who waits for the database of one file gets as long a turn
                time.sleep(time.monotonic() - began)

    def open_one(self, conn: sa.Connection, keys: Keys) -> None:
        """Any of them, if there is one. Raises KeyRingError."""
        row = conn.execute(sa.select(*self._row, self._column).where(self._some).limit(1)).first()
        if row is not None:
            keys.open(self._sealed(row[-1]), self._place(*row[:-1]))

    def _sealed(self, value: Any) -> bytes:
        try:
            return self._form.read(value)
        except ValueError:
            return b""  # opens nowhere

    def _batches(self) -> Iterator[Sequence[Sequence[Any]]]:
        """Row by row in the order of their keys; no transaction is open while the caller works."""
        query: sa.Select[Any] = sa.select(*self._row, self._column).where(self._some).order_by(*self._row)
        after: list[sa.ColumnElement[bool]] = []
        while True:
            with reader(self._engine).connect() as conn:
                rows = conn.execute(query.where(*after).limit(_AT_ONCE)).all()
            if not rows:
                return
            yield rows
            last = sa.tuple_(*map(sa.literal, rows[-1][:-1]))
            after = [sa.tuple_(*self._row) > last]

    def _write(self, changes: Sequence[tuple[Sequence[Any], Any, Any]]) -> int:
        """How many were still as they had been read."""
        if not changes:
            return 0
        total = 0
        with self._engine.begin() as conn:
            for row, old, new in changes:
                same = (
                    *(column == value for column, value in zip(self._row, row, strict=True)),
                    self._column == old,
                )
                update = self._column.table.update().where(*same).values({self._column: new})
                total += conn.execute(update).rowcount
        return total


def check(conn: sa.Connection, facts: sa.Table, keys: Keys, older: Column | None = None) -> None:
    """Whether the keys are those of this database, which remembers the first that it sees. The caller is alone.

    older: secrets of a version that remembered nothing; one of them has to open then. Raises KeyRingError.
    """
    known = sa.select(facts.c.name).where(facts.c.name == _CHECK)
    try:
        if older is not None and conn.execute(known).first() is None:
            older.open_one(conn, keys)
        sealed_fact(conn, facts, _CHECK, keys, b"helmbroker")
    except KeyRingError as error:
        raise KeyRingError(f"the key ring is not that of this database ({error}); restore its own") from None


def sealed_fact(conn: sa.Connection, facts: sa.Table, name: str, keys: Keys, first: bytes) -> bytes:
    """A secret fact of the database; `first` when it has none yet. The caller is alone. Raises KeyRingError."""
    place = _fact_place(name)
    return keys.open(HEX.read(fact(conn, facts, name, HEX.write(keys.seal(first, place)))), place)


def sealed_facts(engine: sa.Engine, facts: sa.Table, *names: str) -> Column:
    """The value of `check`, and secret facts of these names."""
    return Column(engine, facts.c.value, _fact_place, HEX, facts.c.name.in_([_CHECK, *names]))


def _fact_place(name: str) -> str:
    return f"facts.{name}"
