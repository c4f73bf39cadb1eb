"""What operators do: runs over the fleet, each with its instances; services and plans that are retired."""

import sqlalchemy as sa
from alembic import op

revision = "broker_0008"
down_revision = "broker_0007"


def upgrade() -> None:
    op.create_table(
        "fleet_members",
        sa.Column("run_id", sa.String(255), primary_key=True),
        sa.Column("instance_id", sa.Text, primary_key=True),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("operation_id", sa.String(255)),
        sa.Column("outcome", sa.String(16)),
        sa.Column("detail", sa.Text, nullable=False),
    )
    op.create_table(
        "retired",
        sa.Column("service_id", sa.String(255), primary_key=True),
        sa.Column("plan_id", sa.String(255), primary_key=True),
        sa.Column("since", sa.Double, nullable=False),
    )
