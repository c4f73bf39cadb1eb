"""An index over what is due."""

from helmbroker.durable.migrations import operations_0003

revision = "broker_0005"
down_revision = "broker_0004"


def upgrade() -> None:
    operations_0003.upgrade()
