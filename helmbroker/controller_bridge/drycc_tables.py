"""What the platform side keeps when apps run under a Drycc controller: no values, no credentials."""

from __future__ import annotations

from typing import NamedTuple

import sqlalchemy as sa


class DryccTables(NamedTuple):
    """releases: those the bridge asked for. apps: when each is looked at. turns: of requests to the controller."""

    releases: sa.Table
    apps: sa.Table
    turns: sa.Table


def define(metadata: sa.MetaData) -> DryccTables:
    """Add the tables to `metadata`."""
    releases = sa.Table(
        "drycc_releases",
        metadata,
        sa.Column("app", sa.String(63), primary_key=True),
        sa.Column("key", sa.String(255), primary_key=True),
        sa.Column("base", sa.Integer, nullable=False),
        sa.Column("version", sa.Integer),
        sa.Column("author", sa.String(255), nullable=False),
        sa.Column("summary", sa.Text, nullable=False),
        sa.Column("removed", sa.JSON, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("waits", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("noted", sa.Double, nullable=False),  # seconds since the epoch, like all times here
    )
    apps = sa.Table(
        "drycc_apps",
        metadata,
        sa.Column("app", sa.String(63), primary_key=True),
        sa.Column("seen", sa.Integer),  # the newest release that was looked at
        sa.Column("born", sa.String(64)),  # of its v1: another app that takes the name has another
        sa.Column("missing_since", sa.Double),
        sa.Column("confirmed", sa.Double),  # since when an operator has said that it is gone
        sa.Column("held", sa.Integer),  # how many went missing at once with it, when that was too many
        sa.Column("look_at", sa.Double, nullable=False, index=True),
    )
    turns = sa.Table(
        "drycc_turns",
        metadata,
        sa.Column("name", sa.String(16), primary_key=True),
        sa.Column("taken_until", sa.Double, nullable=False),
    )
    return DryccTables(releases, apps, turns)
