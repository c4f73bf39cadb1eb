"""The tables `operations` and `workers`: what must not run at the same time is refused by the database itself."""

from typing import Any

import sqlalchemy as sa

from helmbroker.database import define_workers, partial_index
from helmbroker.durable.migrations import alone
from helmbroker.durable.model import State

_COLUMNS: tuple[tuple[str, sa.types.TypeEngine[Any]], ...] = (
    ("kind subject state", sa.String(255)),
    ("description", sa.Text()),
    ("params results", sa.JSON()),
    ("attempt fence", sa.Integer()),
    ("cancel_requested", sa.Boolean()),
    ("lease_until run_at created_at deadline", sa.Double()),
)


def define(metadata: sa.MetaData) -> sa.Table:
    """Add both tables to `metadata`, for the caller to create; returns `operations`."""

    queued, running = (sa.text(f"state = '{state}'") for state in (State.QUEUED, State.RUNNING))
    define_workers(metadata)
    operations = sa.Table(
        "operations",
        metadata,
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("id", sa.String(255), nullable=False, unique=True),
        *(sa.Column(name, type_, nullable=False) for names, type_ in _COLUMNS for name in names.split()),
        sa.Column("lane", sa.String(255), nullable=False, server_default=""),
        sa.Column("carrier", sa.JSON(), nullable=False, server_default="{}"),
        *(sa.Column(name, sa.Text()) for name in ("cancel_reason", "owner")),
        sa.Column("finished_at", sa.Double()),
        sa.CheckConstraint(f"state IN {tuple(map(str, State))}", name="operations_state"),
        partial_index("operations_lane", "subject", "lane", unique=True, where=running),
        partial_index("operations_queued", "subject", "seq", where=queued),
        partial_index("operations_due", "run_at", "seq", where=queued),
        sa.Index("operations_subject", "subject", "seq"),
        sqlite_autoincrement=True,  # seq and fence together are never used again
    )
    alone.attach(operations)
    return operations
