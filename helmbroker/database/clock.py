"""The database's clock, which all processes that share the database go by."""

import sqlalchemy as sa

_NOW = {
    "sqlite": "((julianday('now') - 2440587.5) * 86400.0)",
    "postgresql": "CAST(extract(epoch FROM clock_timestamp()) AS double precision)",
}


def now(database: sa.Engine | sa.Connection) -> sa.ColumnElement[float]:
    """The moment at which it is evaluated, in seconds since the epoch; on SQLite in milliseconds, to some 50 us."""
    return sa.literal_column(_NOW[database.dialect.name], sa.Double)
