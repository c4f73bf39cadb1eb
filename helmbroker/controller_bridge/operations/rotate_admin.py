"""Rotate the administrator's password of an instance: an update that asks for another one, which no app has."""

from __future__ import annotations

from helmbroker.controller_bridge.operations.asking import offered
from helmbroker.controller_bridge.operations.polling import asked
from helmbroker.controller_bridge.operations.update import AWAIT
from helmbroker.controller_bridge.operations.work import Ports, Work, step
from helmbroker.durable import Context, Done, Fail, Outcome, run_steps


def rotate_admin(ctx: Context, ports: Ports) -> str:
    """Handler of the operation. What fails at the broker is undone by it: the password of before goes on."""
    run_steps(ctx, STEPS, Work(ctx, ports))
    return "The administrator's password of the instance was replaced"


def _check(work: Work) -> Outcome:
    """A broker may overlook parameters that it does not know, so it has to say that it knows this one."""
    row = work.resource
    found = offered(work, row.plan)
    if isinstance(found, Fail):
        return found
    if found[1].admin_rotatable:
        return Done()
    return Fail(
        f"the plan {row.plan_name} cannot rotate its administrator's password: in the broker's catalog its schema "
        "of updates has no admin.rotation"
    )


def _ask(work: Work) -> Outcome:
    """By the operation's id, so that a request which is repeated asks for the same password."""
    wanted = {"admin": {"rotation": work.ctx.operation.id}}
    ref = work.instance()
    return Done(asked(work, work.acting.broker.update(ref, wanted, work.caller, plan_id=ref.plan_id)))


STEPS = (step("check", _check), step("update", _ask, begins=True), AWAIT)
