"""Bind: PUT the binding, put its credentials into the app's config, watch the release; or undo all of it."""

from __future__ import annotations

from helmbroker.controller_bridge.operations import offering, rollout
from helmbroker.controller_bridge.operations.making import MAKING
from helmbroker.controller_bridge.operations.removing import removing
from helmbroker.controller_bridge.operations.work import Ports, Work, run_or_undo, step
from helmbroker.durable import Context


def bind(ctx: Context, ports: Ports) -> str:
    """Handler of the operation."""
    work = Work(ctx, ports)
    run_or_undo(work, STEPS, UNDO)
    version = rollout.made(work, "inject")
    return (
        f"The credentials are live in the app with release v{version}" if version else "The app has the credentials"
    )


STEPS = (*MAKING, *rollout.watching("inject"))
UNDO = (
    *rollout.recovering("inject"),
    step("withdraw offer", offering.remove),
    *removing("unbind", "await unbind", lambda work: work.resource.bindings),
)
