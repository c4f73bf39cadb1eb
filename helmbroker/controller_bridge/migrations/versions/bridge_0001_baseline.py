"""The platform side's tables as they were before revisions were counted."""

import sqlalchemy as sa
from alembic import op

from helmbroker.durable.migrations import operations_0001

revision = "bridge_0001"
down_revision = None


def upgrade() -> None:
    operations_0001.upgrade()
    op.create_table(
        "resources",
        sa.Column("uuid", sa.String(36), nullable=False),
        sa.Column("app", sa.String(63), nullable=False),
        sa.Column("name", sa.String(63), nullable=False),
        sa.Column("service", sa.String(255), nullable=False),
        sa.Column("plan", sa.String(255), nullable=False),
        sa.Column("service_id", sa.String(255)),
        sa.Column("plan_id", sa.String(255)),
        sa.Column("instance_id", sa.String(36), nullable=False),
        sa.Column("binding_id", sa.String(36)),
        sa.Column("instance", sa.String(32), nullable=False),
        sa.Column("binding", sa.String(32), nullable=False),
        sa.Column("instance_operation", sa.String(36), nullable=False),
        sa.Column("binding_operation", sa.String(36)),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("sealed_options", sa.Text()),
        sa.Column("owner", sa.String(255), nullable=False),
        sa.Column("created", sa.Double(), nullable=False),
        sa.Column("updated", sa.Double(), nullable=False),
        sa.Column("deleted", sa.Double()),
        sa.PrimaryKeyConstraint("uuid"),
        sa.UniqueConstraint("binding_id"),
        sa.UniqueConstraint("instance_id"),
    )
    op.create_index(
        "resources_name",
        "resources",
        ["app", "name"],
        unique=True,
        sqlite_where=sa.text("deleted IS NULL"),
        postgresql_where=sa.text("deleted IS NULL"),
    )
