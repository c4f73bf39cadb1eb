"""The broker's tables. Columns named sealed_* hold ciphertext (helmbroker.sealing); no other holds a secret."""

from __future__ import annotations

import sqlalchemy as sa

from helmbroker.durable import define

VERSION = 1  # of these tables; a database with another one is refused

metadata = sa.MetaData()
operations = define(metadata)

# what is true of the whole database: schema_version, broker_id
facts = sa.Table(
    "facts",
    metadata,
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)

# every addon revision that was ever offered: instances pin one by its digest
addon_revisions = sa.Table(
    "addon_revisions",
    metadata,
    sa.Column("digest", sa.String(64), primary_key=True),
    sa.Column("packed", sa.LargeBinary, nullable=False),
)

instances = sa.Table(
    "instances",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("service_id", sa.Text, nullable=False),
    sa.Column("plan_id", sa.Text, nullable=False),
    sa.Column("organization_guid", sa.Text, nullable=False),
    sa.Column("space_guid", sa.Text, nullable=False),
    sa.Column("sealed_parameters", sa.LargeBinary, nullable=False),
    sa.Column("context", sa.Text, nullable=False),
    sa.Column("namespace", sa.String(63), nullable=False),
    sa.Column("release", sa.String(53), nullable=False),
    sa.Column("addon_digest", sa.String(64), sa.ForeignKey("addon_revisions.digest"), nullable=False),
    sa.Column("operation_id", sa.String(255), sa.ForeignKey("operations.id"), nullable=False),
)

bindings = sa.Table(
    "bindings",
    metadata,
    sa.Column("instance_id", sa.Text, sa.ForeignKey("instances.id"), primary_key=True),
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("service_id", sa.Text, nullable=False),
    sa.Column("plan_id", sa.Text, nullable=False),
    sa.Column("app_guid", sa.Text),
    sa.Column("sealed_parameters", sa.LargeBinary, nullable=False),
    sa.Column("context", sa.Text, nullable=False),
    sa.Column("namespace", sa.String(63), nullable=False),
    sa.Column("release", sa.String(53), nullable=False),
    sa.Column("sealed_credentials", sa.LargeBinary),
    sa.Column("operation_id", sa.String(255), sa.ForeignKey("operations.id"), nullable=False),
)
