"""What a user asks the broker for: service, plan and options; looked up in its catalog, typed by its schema."""

from __future__ import annotations

from helmbroker.controller_bridge import options
from helmbroker.controller_bridge.broker_port import Plan
from helmbroker.controller_bridge.brokers import AmbiguousService, Offered, UnknownService
from helmbroker.controller_bridge.operations.work import Work
from helmbroker.controller_bridge.sealing import SealError
from helmbroker.durable import JSON, Done, Fail, Outcome


def offered(work: Work, plan_name: str) -> tuple[Offered, Plan] | Fail:
    """The resource's service and its plan of that name, as its broker offers them now; any, before it has one."""
    row, brokers = work.resource, work.ports.broker
    try:
        found = brokers.catalog().find(row.service) if row.at_broker is None else brokers.service(row.at_broker)
    except (UnknownService, AmbiguousService) as error:
        return Fail(str(error))
    plan = next((one for one in found.offering.plans if one.name == plan_name), None)
    if plan is None:
        name = row.service
        return Fail(f"the service {name} has no plan {plan_name!r}; `drycc resources plans {name}` lists them")
    return found, plan


def parameters(work: Work, plan_name: str) -> dict[str, JSON] | Fail:
    """The options that wait to be sent, as the parameters of that plan."""
    row = work.reload()
    found = offered(work, plan_name)
    schema = None if isinstance(found, Fail) else found[1].parameters_schema
    with work.ports.store.reading() as conn:
        sealed = work.ports.store.sealed_options(conn, row.uuid)
    try:
        return options.parameters(work.ports.sealer.open(sealed, owner=row.uuid) if sealed else {}, schema)
    except (SealError, options.OptionsError) as error:
        return Fail(str(error))


def forget_options(work: Work) -> Outcome:
    """The broker has accepted them."""
    with work.ctx.transaction() as conn:
        work.ports.store.forget_options(conn, work.resource.uuid)
    return Done()
