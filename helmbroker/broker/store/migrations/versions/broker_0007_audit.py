"""Who did what: a chain of rows that is only ever added to, and where it ends."""

import sqlalchemy as sa
from alembic import op

from helmbroker.audit import append_only

revision = "broker_0007"
down_revision = "broker_0006"


def upgrade() -> None:
    op.create_table(
        "audit",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("origin", sa.Text),
        sa.Column("action", sa.String(64), nullable=False),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("instance_id", sa.Text),
        sa.Column("binding_id", sa.Text),
        sa.Column("operation_id", sa.Text),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
    )
    op.create_index("ix_audit_instance_id", "audit", ["instance_id"])
    op.create_table(
        "audit_head",
        sa.Column("name", sa.String(16), primary_key=True),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("seal", sa.String(64), nullable=False),
    )
    conn = op.get_bind()
    for statement in append_only.STATEMENTS[conn.dialect.name]:
        conn.exec_driver_sql(statement)
