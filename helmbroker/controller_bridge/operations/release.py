"""Release: an app release that somebody made at the API is watched; when it does not come up, the app goes back."""

from __future__ import annotations

from helmbroker.controller_bridge.operations import rollout
from helmbroker.controller_bridge.operations.work import Ports, Work, run_or_undo, step
from helmbroker.durable import Context, Done, Fail, Outcome, Wait

WRITTEN_S = 60.0
"""Seconds after which the request that asked for a release has long ended: it is written by then, or never."""


def release(ctx: Context, ports: Ports) -> str:
    """Handler of the operation."""
    work = Work(ctx, ports)
    run_or_undo(work, STEPS, UNDO)
    return f"The app runs release v{rollout.made(work, 'find')}"


def _find(work: Work) -> Outcome:
    operation = work.ctx.operation
    version = work.ports.apps.of_key(work.app, operation.id)
    if version is not None:
        return Done({"version": version})
    if work.now - operation.created_at < WRITTEN_S:
        return Wait(work.pause_s, "the release is being written")
    return Fail("the request that asked for a release has ended before one was written: ask again")


STEPS = (step("find", _find, reserve_s=rollout.RESERVE_S), *rollout.watching("find"))
UNDO = rollout.recovering("find")
