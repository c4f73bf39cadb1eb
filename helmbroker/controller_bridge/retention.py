"""What nobody asks for any more is deleted: tombstones of resources, old operations, what is left of them."""

from __future__ import annotations

import sqlalchemy as sa

from helmbroker.controller_bridge.store import DRYCC, EXTERNAL, OPERATIONS, RESOURCES, WORKERS
from helmbroker.database import delete_in_batches, now
from helmbroker.durable import Context, Handler, State

_WORKER_KEPT_S = 86400.0
_FINISHED = [state for state in State if state.finished]


def forget_old(engine: sa.Engine, keep_s: float) -> Handler:
    """The handler of the schedule. keep_s: for how long what has ended is kept."""
    start = now(engine) - keep_s
    latest = (RESOURCES.c.instance_operation, RESOURCES.c.binding_operation)
    alive = sa.exists().where(RESOURCES.c.instance_id == EXTERNAL.c.instance_id, RESOURCES.c.deleted.is_(None))
    old = (
        (RESOURCES.c.uuid, RESOURCES.c.deleted < start),
        (
            OPERATIONS.c.id,
            sa.and_(
                OPERATIONS.c.state.in_(_FINISHED),
                OPERATIONS.c.finished_at < start,
                *(~sa.exists().where(each == OPERATIONS.c.id) for each in latest),
            ),
        ),
        (DRYCC.releases.c.key, DRYCC.releases.c.noted < start),
        (EXTERNAL.c.id, ~alive),  # a worker that was frozen may have written after all was removed
        (WORKERS.c.owner, WORKERS.c.seen_at < now(engine) - _WORKER_KEPT_S),
    )

    def run(ctx: Context) -> str:
        counts = {column.table.name: delete_in_batches(engine, column, where, ctx.check) for column, where in old}
        deleted = ", ".join(f"{number} {name}" for name, number in counts.items() if number)
        return f"deleted: {deleted or 'nothing'}"

    return run
