"""The catalog and its sources in the database, so that all processes offer the same."""

import sqlalchemy as sa
from alembic import op

revision = "broker_0006"
down_revision = "broker_0005"


def upgrade() -> None:
    op.create_table(
        "catalog_sources",
        sa.Column("name", sa.String(63), primary_key=True),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("location", sa.Text, nullable=False),
        sa.Column("seen", sa.Text),
        sa.Column("reason", sa.String(32)),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("asked_at", sa.Double, nullable=False),
        sa.Column("had_at", sa.Double),
    )
    op.create_table(
        "catalog_addons",
        sa.Column("source", sa.String(63), primary_key=True),
        sa.Column("label", sa.String(255), primary_key=True),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("digest", sa.String(64), sa.ForeignKey("addon_revisions.digest")),
        sa.Column("raw", sa.String(64)),
        sa.Column("service_id", sa.Text),
        sa.Column("reason", sa.String(32)),
        sa.Column("faults", sa.Text, nullable=False),
    )
