"""Rollback: a new app release equal to an older one; when it does not come up, back to the last good one."""

from __future__ import annotations

from helmbroker.controller_bridge.operations import rollout
from helmbroker.controller_bridge.operations.work import Ports, Work, run_or_undo, step
from helmbroker.durable import Context, Done, Outcome


def rollback(ctx: Context, ports: Ports) -> str:
    """Handler of the operation."""
    work = Work(ctx, ports)
    run_or_undo(work, STEPS, UNDO)
    return f"The app runs release v{rollout.made(work, 'rollback')}"


def _rollback(work: Work) -> Outcome:
    operation = work.ctx.operation
    target = operation.params["version"]
    if not isinstance(target, int):
        raise TypeError("an app release is an integer")
    version = work.acting.apps.rollback(work.app, target, author=work.user, key=operation.id)
    return Done({"version": version})


STEPS = (step("rollback", _rollback, reserve_s=rollout.RESERVE_S, begins=True), *rollout.watching("rollback"))
UNDO = rollout.recovering("rollback")
