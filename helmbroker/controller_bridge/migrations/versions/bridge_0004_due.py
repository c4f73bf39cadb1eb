"""An index over what is due."""

from helmbroker.durable.migrations import operations_0003

revision = "bridge_0004"
down_revision = "bridge_0003"


def upgrade() -> None:
    operations_0003.upgrade()
