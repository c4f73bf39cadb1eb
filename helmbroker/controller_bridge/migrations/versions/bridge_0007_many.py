"""Several brokers, resources that have the instance of another one, and services that live elsewhere."""

import sqlalchemy as sa
from alembic import op

revision = "bridge_0007"
down_revision = "bridge_0006"


def upgrade() -> None:
    op.add_column("resources", sa.Column("broker", sa.String(63), nullable=False, server_default="default"))
    op.add_column("resources", sa.Column("shared_from", sa.String(36)))
    op.create_index("ix_resources_shared_from", "resources", ["shared_from"])
    op.create_table(
        "external",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("instance_id", sa.String(36), nullable=False),
        sa.Column("sealed_credentials", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_external_instance_id", "external", ["instance_id"])
