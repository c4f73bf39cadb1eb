"""What whoever asked for an operation wants to find with it; and an index that all are counted by."""

import sqlalchemy as sa
from alembic import op


def upgrade() -> None:
    op.add_column("operations", sa.Column("carrier", sa.JSON(), nullable=False, server_default="{}"))
    op.create_index("operations_counted", "operations", ["id", "kind", "state"])
