"""The broker's tables.

Columns named sealed_* hold ciphertext (helmbroker.sealing), and two values of facts; nothing else holds a secret.
"""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from helmbroker.audit.chain import define as define_audit
from helmbroker.database import Schema, define_facts
from helmbroker.durable import define

metadata = sa.MetaData()
operations = define(metadata)
# begins with the id, so that nothing but counting all of them is tempted to use it
sa.Index("operations_counted", operations.c.id, operations.c.kind, operations.c.state)

facts = define_facts(metadata)  # schema_version, broker_id, key_check, audit_key

# every addon revision that was ever offered: instances pin one by its digest
addon_revisions = sa.Table(
    "addon_revisions",
    metadata,
    sa.Column("digest", sa.String(64), primary_key=True),
    sa.Column("packed", sa.LargeBinary, nullable=False),
    sa.Column("kept_at", sa.Double),  # when it was kept, or has left the catalog; seconds since the epoch
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
    # what an update is to lead to, as the columns above hold what is in force
    sa.Column("wanted_plan_id", sa.Text),
    sa.Column("sealed_wanted_parameters", sa.LargeBinary),
    sa.Column("wanted_context", sa.Text),
    sa.Column("wanted_digest", sa.String(64), sa.ForeignKey("addon_revisions.digest")),
    sa.Column("return_to", sa.Integer),  # the revision of the Helm release that runs what is in force
    sa.Column("deployed_revision", sa.Integer),  # of the Helm release, as we have left it
    sa.Column("operation_id", sa.String(255), sa.ForeignKey("operations.id"), nullable=False, index=True),
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
    sa.Column("predecessor_id", sa.Text),
    sa.Column("sealed_credentials", sa.LargeBinary),
    sa.Column("endpoints", sa.Text, nullable=False),
    # seconds since the epoch, on the database's clock
    sa.Column("expires_at", sa.Double),
    sa.Column("renew_before", sa.Double),
    sa.Column("revoke_at", sa.Double, index=True),  # the schedule: when to look whether it is revoked
    sa.Column("deployed_revision", sa.Integer),
    sa.Column("operation_id", sa.String(255), sa.ForeignKey("operations.id"), nullable=False, index=True),
)

# where records and cluster differ, as the last check has seen it; replaced as a whole by each check
findings = sa.Table(
    "findings",
    metadata,
    sa.Column("kind", sa.String(64), primary_key=True),
    sa.Column("subject", sa.Text, primary_key=True),  # what it is about, in words
    sa.Column("instance_id", sa.Text),  # of a service instance that has a record
    # seconds since the epoch, on the database's clock
    sa.Column("since", sa.Double, nullable=False),
    sa.Column("seen", sa.Double, nullable=False),
    sa.Column("detail", sa.Text, nullable=False),  # public: what differs, and the cure
)

# the instances that runs over the fleet are about; run_id: of the run's operation
fleet_members = sa.Table(
    "fleet_members",
    metadata,
    sa.Column("run_id", sa.String(255), primary_key=True),
    sa.Column("instance_id", sa.Text, primary_key=True),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("operation_id", sa.String(255)),  # its update, once that has begun
    sa.Column("outcome", sa.String(16)),  # null: it has not ended
    sa.Column("detail", sa.Text, nullable=False),  # public
)

# what sources have and the catalog does not offer any more; plan_id: "" for all plans
retired = sa.Table(
    "retired",
    metadata,
    sa.Column("service_id", sa.String(255), primary_key=True),
    sa.Column("plan_id", sa.String(255), primary_key=True),
    sa.Column("since", sa.Double, nullable=False),  # seconds since the epoch, on the database's clock
)

# how each source of addons was found when it was asked last
catalog_sources = sa.Table(
    "catalog_sources",
    metadata,
    sa.Column("name", sa.String(63), primary_key=True),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("location", sa.Text, nullable=False),
    sa.Column("seen", sa.Text),  # what it had, in its own words
    sa.Column("reason", sa.String(32)),  # null: all was well
    sa.Column("message", sa.Text, nullable=False),
    # seconds since the epoch, on the database's clock
    sa.Column("asked_at", sa.Double, nullable=False),
    sa.Column("had_at", sa.Double),  # when it could be had last
)

# the catalog, for all processes: the addons of all sources in their order
catalog_addons = sa.Table(
    "catalog_addons",
    metadata,
    sa.Column("source", sa.String(63), primary_key=True),
    sa.Column("label", sa.String(255), primary_key=True),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("digest", sa.String(64), sa.ForeignKey("addon_revisions.digest")),  # null: none of it is offered
    sa.Column("raw", sa.String(64)),  # the digest before dependencies were put into it
    sa.Column("service_id", sa.Text),
    sa.Column("reason", sa.String(32)),  # why what the source has now is not taken
    sa.Column("faults", sa.Text, nullable=False),  # JSON: [[file, line, message], ...]
)

# who did what
audit, audit_head = define_audit(
    metadata,
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("origin", sa.Text),  # on whose behalf
    sa.Column("action", sa.String(64), nullable=False),
    sa.Column("outcome", sa.String(16), nullable=False),
    sa.Column("instance_id", sa.Text, index=True),
    sa.Column("binding_id", sa.Text),
    sa.Column("operation_id", sa.Text),
)

SCHEMA = Schema(
    owner="broker",
    own=instances,
    facts=facts,
    metadata=metadata,
    migrations=Path(__file__).parent / "migrations" / "versions",
    epoch=2,
)
