"""Facts: the database can say what a program has to know to work on it."""

import sqlalchemy as sa
from alembic import op

revision = "bridge_0002"
down_revision = "bridge_0001"


def upgrade() -> None:
    op.create_table(
        "facts",
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
