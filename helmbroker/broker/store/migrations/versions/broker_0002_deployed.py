"""The revision of each Helm release as we have left it, and what was found to differ from the records."""

import sqlalchemy as sa
from alembic import op

revision = "broker_0002"
down_revision = "broker_0001"


def upgrade() -> None:
    op.add_column("instances", sa.Column("deployed_revision", sa.Integer()))
    op.add_column("bindings", sa.Column("deployed_revision", sa.Integer()))
    op.create_table(
        "findings",
        sa.Column("kind", sa.String(64), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("instance_id", sa.Text()),
        sa.Column("since", sa.Double(), nullable=False),
        sa.Column("seen", sa.Double(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "subject"),
    )
