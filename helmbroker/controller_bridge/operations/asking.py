"""What a user asks the broker for: service, plan and options; looked up in its catalog, typed by its schema."""

from __future__ import annotations

from helmbroker.controller_bridge import options
from helmbroker.controller_bridge.broker_port import Offering, Plan
from helmbroker.controller_bridge.operations.work import Work
from helmbroker.controller_bridge.sealing import SealError
from helmbroker.durable import JSON, Done, Fail, Outcome


def offered(work: Work, plan_name: str) -> tuple[Offering, Plan] | Fail:
    """The resource's service and its plan of that name, as the broker offers them now."""
    service = work.resource.service
    offering = next((one for one in work.ports.broker.catalog() if one.name == service), None)
    if offering is None:
        return Fail(f"the broker offers no service {service!r}; `drycc resources services` lists them")
    plan = next((one for one in offering.plans if one.name == plan_name), None)
    if plan is None:
        return Fail(
            f"the service {service} has no plan {plan_name!r}; `drycc resources plans {service}` lists them"
        )
    return offering, plan


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
