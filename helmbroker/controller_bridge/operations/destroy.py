"""Destroy: wait until a half-made binding is gone, then DELETE the instance and wait until the broker is done."""

from __future__ import annotations

from helmbroker.controller_bridge.model import BindingState
from helmbroker.controller_bridge.operations.polling import asked, poll
from helmbroker.controller_bridge.operations.work import Ports, Work, result, step
from helmbroker.durable import Context, Done, Fail, Outcome, Wait, run_steps


def destroy(ctx: Context, ports: Ports) -> str:
    """Handler of the operation."""
    run_steps(ctx, STEPS, Work(ctx, ports))
    return "The instance is gone"


def _await_unbound(work: Work) -> Outcome:
    row = work.reload()
    if row.binding is BindingState.UNBINDING:
        return Wait(work.pause_s, "waiting until the binding is gone")
    if row.binding_id is not None:
        return Fail(f"the binding could not be removed: {row.message}")
    return Done()


def _deprovision(work: Work) -> Outcome:
    if work.resource.service_id is None or work.resource.shared_from is not None:
        return Done()  # the broker was never asked for it, or it is another one's
    answer = work.acting.broker.deprovision(work.instance(), work.caller)
    return Done(asked(work, answer))


def _await(work: Work) -> Outcome:
    doing = "the broker removes the instance"
    return poll(work, result(work, "deprovision"), work.instance_status, doing, removes=True)


STEPS = (
    step("await unbound", _await_unbound),
    step("deprovision", _deprovision),
    step("await", _await),
)
