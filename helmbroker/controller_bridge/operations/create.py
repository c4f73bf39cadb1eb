"""Create: look up service and plan, PUT the instance, wait for it; what fails is deleted at the broker."""

from __future__ import annotations

from helmbroker.controller_bridge.broker_port import Caller
from helmbroker.controller_bridge.operations.asking import forget_options, offered, parameters
from helmbroker.controller_bridge.operations.polling import asked, poll
from helmbroker.controller_bridge.operations.work import Ports, Work, result, run_or_undo, step
from helmbroker.durable import Context, Done, Fail, Outcome

_RESERVE_S = 120.0  # kept for deleting what could not be provisioned


def create(ctx: Context, ports: Ports) -> str:
    """Handler of the operation."""
    run_or_undo(Work(ctx, ports), STEPS, UNDO)
    return "The instance was provisioned successfully"


def _resolve(work: Work) -> Outcome:
    found = offered(work, work.resource.plan)
    if isinstance(found, Fail):
        return found
    service, plan = found
    with work.ctx.transaction() as conn:
        ids = (service.broker, service.offering.id, plan.id)
        work.ports.store.set_catalog_ids(conn, work.resource.uuid, *ids)
    return Done()


def _provision(work: Work) -> Outcome:
    given = parameters(work, work.resource.plan)
    if isinstance(given, Fail):
        return given
    answer = work.acting.broker.provision(work.instance(), given, work.caller)
    return Done(asked(work, answer))


def _await(work: Work) -> Outcome:
    return poll(work, result(work, "provision"), work.instance_status, "the broker provisions the instance")


def _remove(work: Work) -> Outcome:
    row = work.reload()
    if row.service_id is None:
        return Done()
    answer = work.acting.broker.deprovision(work.instance(), Caller(None))
    return Done(asked(work, answer))


def _await_removal(work: Work) -> Outcome:
    doing = "the broker removes what it had begun"
    return poll(work, result(work, "remove"), work.instance_status, doing, removes=True)


STEPS = (
    step("resolve", _resolve, reserve_s=_RESERVE_S),
    step("provision", _provision, reserve_s=_RESERVE_S, begins=True),
    step("forget options", forget_options),
    step("await", _await, reserve_s=_RESERVE_S),
)
UNDO = (
    step("remove", _remove),
    step("await removal", _await_removal),
)
