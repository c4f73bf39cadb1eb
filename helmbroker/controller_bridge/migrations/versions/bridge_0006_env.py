"""How credentials become the environment of the app."""

import sqlalchemy as sa
from alembic import op

revision = "bridge_0006"
down_revision = "bridge_0005"


def upgrade() -> None:
    op.add_column("resources", sa.Column("env", sa.JSON(), nullable=False, server_default="{}"))
