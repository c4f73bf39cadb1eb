"""Lanes: some operations of a subject run beside each other. And which workers there are."""

import sqlalchemy as sa
from alembic import op

from helmbroker.durable.migrations import alone


def upgrade() -> None:
    op.add_column("operations", sa.Column("lane", sa.String(255), nullable=False, server_default=""))
    op.drop_index("operations_running", "operations")
    op.create_index(
        "operations_lane",
        "operations",
        ["subject", "lane"],
        unique=True,
        sqlite_where=sa.text("state = 'running'"),
        postgresql_where=sa.text("state = 'running'"),
    )
    for statement in alone.STATEMENTS[op.get_bind().dialect.name]:
        op.execute(statement)
    op.create_table(
        "workers",
        sa.Column("owner", sa.String(255), nullable=False),
        sa.Column("host", sa.String(255), nullable=False),
        sa.Column("started_at", sa.Double(), nullable=False),
        sa.Column("seen_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("owner"),
    )
