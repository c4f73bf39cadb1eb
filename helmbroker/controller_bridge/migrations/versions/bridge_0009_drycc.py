"""Apps under a Drycc controller: releases asked for, when they are looked at, turns of requests."""

import sqlalchemy as sa
from alembic import op

revision = "bridge_0009"
down_revision = "bridge_0008"


def upgrade() -> None:
    op.create_table(
        "drycc_releases",
        sa.Column("app", sa.String(63), nullable=False),
        sa.Column("key", sa.String(255), nullable=False),
        sa.Column("base", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer()),
        sa.Column("author", sa.String(255), nullable=False),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("removed", sa.JSON(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("noted", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("app", "key"),
    )
    op.create_table(
        "drycc_apps",
        sa.Column("app", sa.String(63), nullable=False),
        sa.Column("seen", sa.Integer()),
        sa.Column("born", sa.String(64)),
        sa.Column("missing_since", sa.Double()),
        sa.Column("look_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("app"),
    )
    op.create_index("ix_drycc_apps_look_at", "drycc_apps", ["look_at"])
    op.create_table(
        "drycc_turns",
        sa.Column("name", sa.String(16), nullable=False),
        sa.Column("taken_until", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
