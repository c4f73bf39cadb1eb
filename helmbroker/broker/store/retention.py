"""What nobody asks for any more is deleted: old operations, tombstones, addon revisions, workers that died."""

from __future__ import annotations

from collections.abc import Callable

import sqlalchemy as sa

from helmbroker.broker.domain.operation import DELETIONS
from helmbroker.broker.store.schema import (
    addon_revisions,
    bindings,
    catalog_addons,
    fleet_members,
    instances,
    operations,
)
from helmbroker.database import delete_in_batches, now
from helmbroker.durable import State

_WORKER_KEPT_S = 86400.0
_WORKERS = operations.metadata.tables["workers"]
_FINISHED = [state for state in State if state.finished]


class Retention:
    """keep_s: for how long what has ended is kept."""

    def __init__(self, engine: sa.Engine, keep_s: float) -> None:
        self._engine, self._keep_s, self._now = engine, keep_s, now(engine)

    def forget_old(self, between: Callable[[], None]) -> dict[str, int]:
        """Delete it; how many rows of what. `between` is called again and again, and may raise.

        Tombstones first: what they pointed to is free then.
        """
        start = self._now - self._keep_s
        with self._engine.begin() as conn:  # of a version that did not know when; its time begins now
            conn.execute(
                addon_revisions.update().where(addon_revisions.c.kept_at.is_(None)).values(kept_at=self._now)
            )
        counts = {
            "bindings": self._delete(bindings.c.operation_id, _removed(bindings, start), between),
            "instances": self._delete(instances.c.operation_id, _removed(instances, start), between),
            "operations": self._delete(operations.c.id, _pointless(start), between),
            "fleet_members": self._delete(fleet_members.c.run_id, _forgotten_run(), between),
            "addon_revisions": self._delete(addon_revisions.c.digest, _unused(start), between),
            "workers": self._delete(_WORKERS.c.owner, _WORKERS.c.seen_at < self._now - _WORKER_KEPT_S, between),
        }
        return {name: number for name, number in counts.items() if number}

    def _delete(self, column: sa.Column[str], where: sa.ColumnElement[bool], between: Callable[[], None]) -> int:
        return delete_in_batches(self._engine, column, where, between)


def _unused(start: sa.ColumnElement[float]) -> sa.ColumnElement[bool]:
    """Addon revisions that nothing has pinned, and that have left the catalog before `start`."""
    pins = (instances.c.addon_digest, instances.c.wanted_digest, catalog_addons.c.digest)
    pinned = (sa.exists().where(pin == addon_revisions.c.digest) for pin in pins)
    return sa.and_(addon_revisions.c.kept_at < start, *(~each for each in pinned))


def _forgotten_run() -> sa.ColumnElement[bool]:
    """What became of instances in a run that is forgotten itself."""
    return ~sa.exists().where(operations.c.id == fleet_members.c.run_id)


def _removed(table: sa.Table, start: sa.ColumnElement[float]) -> sa.ColumnElement[bool]:
    """Tombstones: what was removed before `start`, and has nothing that belongs to it."""
    removal = sa.exists().where(
        operations.c.id == table.c.operation_id,
        operations.c.kind.in_(sorted(DELETIONS)),
        operations.c.state == State.SUCCEEDED,
        operations.c.finished_at < start,
    )
    owns = sa.exists().where(bindings.c.instance_id == instances.c.id)
    return sa.and_(removal, ~owns) if table is instances else removal


def _pointless(start: sa.ColumnElement[float]) -> sa.ColumnElement[bool]:
    """Operations that ended before `start` and are the latest one of nothing.

    Not where anything is going on: a bind that is undone points to the operation before it again.
    """
    busy = operations.alias().c
    return sa.and_(
        operations.c.state.in_(_FINISHED),
        operations.c.finished_at < start,
        *(~sa.exists().where(table.c.operation_id == operations.c.id) for table in (instances, bindings)),
        ~sa.exists().where(busy.subject == operations.c.subject, busy.state.not_in(_FINISHED)),
    )
