"""What is kept with an operation for whoever asked for it."""

from helmbroker.durable.migrations import operations_0004

revision = "broker_0009"
down_revision = "broker_0008"


def upgrade() -> None:
    operations_0004.upgrade()
