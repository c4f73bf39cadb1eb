"""Lanes of operations, held by the database; the table of workers."""

from helmbroker.durable.migrations import operations_0002

revision = "bridge_0003"
down_revision = "bridge_0002"


def upgrade() -> None:
    operations_0002.upgrade()
