"""Indexes of some rows of a table."""

from typing import Any

import sqlalchemy as sa


def partial_index(name: str, *columns: str, where: sa.TextClause, unique: bool = False) -> sa.Index:
    """An index of the rows for which `where` holds.

    That is an option of each dialect. Named with the index, it would load both: 2 MB more in every process.
    """
    index = sa.Index(name, *columns, unique=unique)

    @sa.event.listens_for(index, "before_create")
    def _of_some(_index: sa.Index, conn: sa.Connection, **_: Any) -> None:
        index.dialect_options[conn.dialect.name]["where"] = where

    return index
