"""What is kept with an operation for whoever asked for it."""

from helmbroker.durable.migrations import operations_0004

revision = "bridge_0011"
down_revision = "bridge_0010"


def upgrade() -> None:
    operations_0004.upgrade()
