"""What is wrong with a database as a whole."""

import sqlalchemy as sa

# The database is away, full, locked, or has ended the transaction (psycopg says InternalError to that): try again.
OUTAGE: tuple[type[sa.exc.SQLAlchemyError], ...] = (
    sa.exc.OperationalError,
    sa.exc.InterfaceError,
    sa.exc.InternalError,
    sa.exc.TimeoutError,
)


class UnusableDatabase(Exception):
    """The database cannot be used. A sentence for the operator, with the cure."""
