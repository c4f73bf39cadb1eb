"""All rows of a program's tables as lines of JSON, and back into a database of either kind."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator
from itertools import groupby, islice
from operator import itemgetter
from typing import Any

import sqlalchemy as sa

from helmbroker.database.errors import OUTAGE
from helmbroker.database.migrate import Schema

FORMAT = 1
_AT_ONCE = 500
_SEQUENCE = "CAST(pg_get_serial_sequence(:table, :column) AS regclass)"
_UNFIT = (sa.exc.StatementError, sa.exc.CompileError)  # rows that the tables do not take


class NotExported(Exception):
    """This is not, or not all of, what `lines` gave for the same tables. A sentence for the operator."""


def lines(conn: sa.Connection, schema: Schema, without: Collection[sa.Table]) -> Iterator[str]:
    """A line that says what follows, one for each row, and one that says how many rows there were.

    conn: sees one moment (`at_one_moment`). without: tables that are of no use elsewhere.
    """
    tables = [table for table in schema.metadata.sorted_tables if table not in without]
    used = {str(column): _used(conn, column) for column in _numbered(tables)}
    yield json.dumps({**_known(schema), "used": used})
    total = 0
    for table in tables:
        for row in conn.execute(sa.select(table).execution_options(yield_per=_AT_ONCE)).mappings():
            yield json.dumps({"table": table.name, "row": dict(row)})
            total += 1
    yield json.dumps({"rows": total})


def restore(conn: sa.Connection, schema: Schema, found: Iterable[str]) -> dict[str, int]:
    """Write the rows of `lines` into tables that have none; how many each of those got.

    Raises NotExported: what was written by then is the caller's to roll back.
    """
    try:
        return _restore(conn, schema, (json.loads(line) for line in found))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise NotExported(f"it is no export ({type(error).__name__})") from None


def _known(schema: Schema) -> dict[str, Any]:
    return {"format": FORMAT, "of": schema.owner, "revision": schema.revisions[-1]}


def _restore(conn: sa.Connection, schema: Schema, found: Iterator[dict[str, Any]]) -> dict[str, int]:
    head = next(found, {})
    for name, value in _known(schema).items():
        if head[name] != value:
            raise NotExported(
                f"its {name} is {head[name]!r} and not {value!r}: import with the version that exported"
            )
    numbers: dict[str, int] = {}
    for name, rows in groupby(_all(found), itemgetter("table")):
        insert = schema.metadata.tables[name].insert()
        while some := [each["row"] for each in islice(rows, _AT_ONCE)]:
            _write(conn, insert, some, numbers.get(name, 0))
            numbers[name] = numbers.get(name, 0) + len(some)
    for column in _numbered(schema.metadata.sorted_tables):
        _use(conn, column, head["used"][str(column)])
    return numbers


def _write(conn: sa.Connection, insert: sa.Insert, some: list[dict[str, Any]], before: int) -> None:
    try:
        conn.execute(insert, some)
    except OUTAGE:
        raise
    except _UNFIT as error:
        which = f"its rows {before + 1} to {before + len(some)} of {insert.table.name}"
        raise NotExported(f"{which} do not fit the table ({type(error).__name__})") from None


def _all(found: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for number, each in enumerate(found):
        if "rows" not in each:
            yield each
        elif each["rows"] == number and next(found, None) is None:
            return
        else:
            break
    raise NotExported("it is not whole")


def _numbered(tables: Iterable[sa.Table]) -> list[sa.Column[Any]]:
    """Columns that the database itself numbers."""
    return [each.autoincrement_column for each in tables if each.autoincrement_column is not None]


def _used(conn: sa.Connection, column: sa.Column[Any]) -> int:
    """Up to which number all were given out: the rows of the highest may have been deleted since."""
    if conn.dialect.name == "sqlite":
        query = sa.text("SELECT seq FROM sqlite_sequence WHERE name = :table")
        return int(conn.scalar(query, {"table": column.table.name}) or 0)
    query = sa.text(f"SELECT pg_sequence_last_value({_SEQUENCE})")
    return int(conn.scalar(query, {"table": column.table.name, "column": column.name}) or 0)


def _use(conn: sa.Connection, column: sa.Column[Any], number: int) -> None:
    """None up to this one is given out again."""
    if not number:
        return
    named: dict[str, Any] = {"table": column.table.name, "number": number}
    if conn.dialect.name == "sqlite":
        conn.execute(sa.text("DELETE FROM sqlite_sequence WHERE name = :table"), {"table": column.table.name})
        conn.execute(sa.text("INSERT INTO sqlite_sequence (name, seq) VALUES (:table, :number)"), named)
    else:
        conn.execute(sa.text(f"SELECT setval({_SEQUENCE}, :number)"), named | {"column": column.name})
