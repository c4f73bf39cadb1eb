"""What the metrics of the platform side tell from its database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from helmbroker.controller_bridge.store import DRYCC, OPERATIONS, RESOURCES, WORKERS, Store
from helmbroker.database import now
from helmbroker.status import numbers
from helmbroker.status.numbers import WorkNumbers

PREFIX = "helmbroker_bridge"  # of the names of all metrics
_PHASES = (
    sa.select(RESOURCES.c.instance, RESOURCES.c.binding, sa.func.count().label("n"))
    .where(RESOURCES.c.deleted.is_(None))
    .group_by(RESOURCES.c.instance, RESOURCES.c.binding)
)
_APPS = sa.select(sa.func.count().label("watched"), sa.func.count(DRYCC.apps.c.missing_since).label("missing"))


@dataclass(frozen=True)
class Numbers:
    """resources: that live, by the states of instance and binding. The rest is of apps under a Drycc controller."""

    work: WorkNumbers
    resources: Mapping[tuple[str, str], int]
    apps_watched: int
    apps_missing: int  # the controller does not know them, or has others of their names
    turns_ahead_s: float  # of requests to the controller, how many have been taken beforehand, in seconds


def read(store: Store) -> Numbers:
    """As they are now. Raises what the database raises when it does not answer."""
    with store.reading() as conn:
        apps = conn.execute(_APPS).one()
        taken_s = conn.scalar(sa.select(sa.func.max(DRYCC.turns.c.taken_until) - now(conn)))
        return Numbers(
            work=numbers.read(conn, OPERATIONS, WORKERS),
            resources={(row.instance, row.binding): row.n for row in conn.execute(_PHASES)},
            apps_watched=apps.watched,
            apps_missing=apps.missing,
            turns_ahead_s=max(0.0, float(taken_s or 0.0)),
        )
