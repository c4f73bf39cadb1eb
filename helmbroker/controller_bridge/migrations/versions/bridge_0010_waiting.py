"""Releases at a controller that wait like what they take back; of an app that is missing, whether it is held, and
since when an operator knows that it is gone.
"""

import sqlalchemy as sa
from alembic import op

revision = "bridge_0010"
down_revision = "bridge_0009"


def upgrade() -> None:
    op.add_column("drycc_releases", sa.Column("waits", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("drycc_apps", sa.Column("confirmed", sa.Double()))
    op.add_column("drycc_apps", sa.Column("held", sa.Integer()))
