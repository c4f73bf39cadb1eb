"""Update: look up the plan, PATCH the instance, wait for it. What fails leaves the instance as it was."""

from __future__ import annotations

from helmbroker.controller_bridge.operations.asking import forget_options, offered, parameters
from helmbroker.controller_bridge.operations.polling import asked, poll
from helmbroker.controller_bridge.operations.work import Ports, Work, result, step
from helmbroker.durable import Context, Done, Fail, Outcome, run_steps


def update(ctx: Context, ports: Ports) -> str:
    """Handler of the operation; its params name the `plan` to go to, which the resource gets when it has ended."""
    run_steps(ctx, STEPS, Work(ctx, ports))
    return "The instance was updated successfully"


def _resolve(work: Work) -> Outcome:
    wanted, row = _plan(work), work.resource
    if wanted == row.plan:  # it may be one that is offered no more
        return Done({"plan_id": row.plan_id})
    found = offered(work, wanted)
    if isinstance(found, Fail):
        return found
    (_, offering), plan = found
    before = next((one for one in offering.plans if one.id == row.plan_id), None)
    if not (before.updateable if before else offering.updateable):
        return Fail(f"an instance of the plan {row.plan_name} cannot change its plan")
    return Done({"plan_id": plan.id})


def _update(work: Work) -> Outcome:
    given = parameters(work, _plan(work))
    if isinstance(given, Fail):
        return given
    plan_id = str(result(work, "resolve")["plan_id"])
    answer = work.acting.broker.update(work.instance(), given, work.caller, plan_id=plan_id)
    return Done(asked(work, answer))


def _await(work: Work) -> Outcome:
    return poll(work, result(work, "update"), work.instance_status, "the broker updates the instance")


def _plan(work: Work) -> str:
    return str(work.ctx.operation.params["plan"])


AWAIT = step("await", _await)  # of what the step "update" has asked for
STEPS = (
    step("resolve", _resolve),
    step("update", _update, begins=True),
    step("forget options", forget_options),
    AWAIT,
)
