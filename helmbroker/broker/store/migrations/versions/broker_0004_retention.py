"""What is old can be found: when a revision was last offered, and which rows point to an operation."""

import sqlalchemy as sa
from alembic import op

revision = "broker_0004"
down_revision = "broker_0003"


def upgrade() -> None:
    op.add_column("addon_revisions", sa.Column("kept_at", sa.Double()))
    for table in ("instances", "bindings"):
        op.create_index(f"ix_{table}_operation_id", table, ["operation_id"])
