"""Many rows are deleted a few at a time: no transaction is long, and others get their turn between two."""

from collections.abc import Callable

import sqlalchemy as sa

_AT_ONCE = 500


def delete_in_batches(
    engine: sa.Engine, column: sa.Column[str], where: sa.ColumnElement[bool], between: Callable[[], None]
) -> int:
    """Delete the rows of the column's table for which `where` holds; how many there were.

    column: what a row is chosen by. A row that has another value in it by the time it is locked stays. Up to 500
    values at a time, each batch in a transaction of its own; `between` is called before each, and may raise.
    """
    some = sa.select(column).where(where).limit(_AT_ONCE).scalar_subquery()
    total = 0
    while True:
        between()
        with engine.begin() as conn:
            number = conn.execute(column.table.delete().where(column.in_(some))).rowcount
        if not number:
            return total
        total += number
