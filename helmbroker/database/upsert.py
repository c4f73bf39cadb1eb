"""INSERT ... ON CONFLICT, which SQLAlchemy has once for each database: only that of the one in use is loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import sqlalchemy as sa

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql, sqlite

    Insert: TypeAlias = postgresql.Insert | sqlite.Insert


def insert(dialect: str, table: sa.Table) -> Insert:
    """Into `table`, with `on_conflict_do_nothing` and `on_conflict_do_update`; `dialect`: sqlite or postgresql."""
    if dialect == "postgresql":
        from sqlalchemy.dialects.postgresql import insert as insert_postgresql  # noqa: PLC0415  # heavy: 2 MB

        return insert_postgresql(table)
    from sqlalchemy.dialects.sqlite import insert as insert_sqlite  # noqa: PLC0415

    return insert_sqlite(table)
