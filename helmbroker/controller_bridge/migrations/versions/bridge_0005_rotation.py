"""Rotation: bindings beside that of the app, and when credentials are due to be replaced."""

import sqlalchemy as sa
from alembic import op

revision = "bridge_0005"
down_revision = "bridge_0004"


def upgrade() -> None:
    op.add_column("resources", sa.Column("other_bindings", sa.JSON(), nullable=False, server_default="[]"))
    op.add_column("resources", sa.Column("rotate_every_s", sa.Double()))
    op.add_column("resources", sa.Column("renew_before", sa.Double()))
    op.add_column("resources", sa.Column("rotate_at", sa.Double()))
    op.create_index("ix_resources_rotate_at", "resources", ["rotate_at"])
