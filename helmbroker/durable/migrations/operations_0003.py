"""What is due first is found at once, however much is queued."""

import sqlalchemy as sa
from alembic import op


def upgrade() -> None:
    op.create_index(
        "operations_due",
        "operations",
        ["run_at", "seq"],
        sqlite_where=sa.text("state = 'queued'"),
        postgresql_where=sa.text("state = 'queued'"),
    )
