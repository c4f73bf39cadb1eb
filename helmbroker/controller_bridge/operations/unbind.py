"""Unbind: take the credentials out of the app's config, watch the release, then DELETE the binding.

An app that does not come up without the credentials gets them back, and the binding stays.
"""

from __future__ import annotations

from helmbroker.controller_bridge.apps.port import AppNotFound
from helmbroker.controller_bridge.naming import config_group
from helmbroker.controller_bridge.operations import offering, rollout
from helmbroker.controller_bridge.operations.removing import removing
from helmbroker.controller_bridge.operations.work import Ports, Work, run_or_undo, step
from helmbroker.durable import Context, Done, Outcome, run_steps


def unbind(ctx: Context, ports: Ports) -> str:
    """Handler of the operation."""
    work = Work(ctx, ports)
    run_or_undo(work, WITHDRAW, UNDO)
    run_steps(ctx, DELETE, work)
    return "The binding is gone"


def _withdraw(work: Work) -> Outcome:
    resource = work.resource
    try:
        summary = f"unbind {resource.name} ({resource.plan_name})"
        return Done({"version": rollout.change(work, config_group(resource.name), None, summary)})
    except AppNotFound:
        return Done()  # there is no app to take anything from


WITHDRAW = (
    step("withdraw", _withdraw, reserve_s=rollout.RESERVE_S, begins=True),
    *rollout.watching("withdraw", app_may_be_gone=True),
)
UNDO = rollout.recovering("withdraw")
DELETE = (
    step("withdraw offer", offering.remove),
    *removing("delete", "await", lambda work: work.resource.bindings),
)
STEPS = (*WITHDRAW, *DELETE)
