"""The broker's tables as they were before revisions were counted."""

import sqlalchemy as sa
from alembic import op

from helmbroker.durable.migrations import operations_0001

revision = "broker_0001"
down_revision = None


def upgrade() -> None:
    operations_0001.upgrade()
    op.create_table(
        "addon_revisions",
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("packed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("digest"),
    )
    op.create_table(
        "facts",
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "instances",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("service_id", sa.Text(), nullable=False),
        sa.Column("plan_id", sa.Text(), nullable=False),
        sa.Column("organization_guid", sa.Text(), nullable=False),
        sa.Column("space_guid", sa.Text(), nullable=False),
        sa.Column("sealed_parameters", sa.LargeBinary(), nullable=False),
        sa.Column("context", sa.Text(), nullable=False),
        sa.Column("namespace", sa.String(63), nullable=False),
        sa.Column("release", sa.String(53), nullable=False),
        sa.Column("addon_digest", sa.String(64), nullable=False),
        sa.Column("wanted_plan_id", sa.Text()),
        sa.Column("sealed_wanted_parameters", sa.LargeBinary()),
        sa.Column("wanted_context", sa.Text()),
        sa.Column("wanted_digest", sa.String(64)),
        sa.Column("return_to", sa.Integer()),
        sa.Column("operation_id", sa.String(255), nullable=False),
        sa.ForeignKeyConstraint(["addon_digest"], ["addon_revisions.digest"]),
        sa.ForeignKeyConstraint(["operation_id"], ["operations.id"]),
        sa.ForeignKeyConstraint(["wanted_digest"], ["addon_revisions.digest"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "bindings",
        sa.Column("instance_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("service_id", sa.Text(), nullable=False),
        sa.Column("plan_id", sa.Text(), nullable=False),
        sa.Column("app_guid", sa.Text()),
        sa.Column("sealed_parameters", sa.LargeBinary(), nullable=False),
        sa.Column("context", sa.Text(), nullable=False),
        sa.Column("namespace", sa.String(63), nullable=False),
        sa.Column("release", sa.String(53), nullable=False),
        sa.Column("predecessor_id", sa.Text()),
        sa.Column("sealed_credentials", sa.LargeBinary()),
        sa.Column("endpoints", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.Double()),
        sa.Column("renew_before", sa.Double()),
        sa.Column("revoke_at", sa.Double()),
        sa.Column("operation_id", sa.String(255), nullable=False),
        sa.ForeignKeyConstraint(["instance_id"], ["instances.id"]),
        sa.ForeignKeyConstraint(["operation_id"], ["operations.id"]),
        sa.PrimaryKeyConstraint("instance_id", "id"),
    )
    op.create_index("ix_bindings_revoke_at", "bindings", ["revoke_at"])
