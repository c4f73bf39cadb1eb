"""Steps that bring credentials into an app: PUT a binding, wait, put what it delivers into the config."""

from __future__ import annotations

from collections.abc import Mapping

from helmbroker.controller_bridge.apps.port import ConfigChange
from helmbroker.controller_bridge.broker_port import Credentials
from helmbroker.controller_bridge.delivery import BadCredentials, environment
from helmbroker.controller_bridge.naming import config_group
from helmbroker.controller_bridge.operations import offering, rollout
from helmbroker.controller_bridge.operations.delivered import delivered
from helmbroker.controller_bridge.operations.polling import asked, poll
from helmbroker.controller_bridge.operations.work import Work, result, step
from helmbroker.durable import Done, Fail, Outcome


def _bind(work: Work) -> Outcome:
    answer, work.credentials = work.acting.broker.bind(work.binding(), work.caller, predecessor=_predecessor(work))
    return Done(asked(work, answer))


def _await(work: Work) -> Outcome:
    return poll(work, result(work, "bind"), work.binding_status, "the broker makes the credentials")


def _check(work: Work) -> Outcome:
    """Variables that cannot be are found before anything is written: the Secret stays as it was."""
    found = _variables(work)
    if isinstance(found, Fail):
        return found
    work.ports.apps.check_config(work.app, ConfigChange({config_group(work.resource.name): found}))
    return Done()


def _offer(work: Work) -> Outcome:
    return offering.keep(work, _credentials(work))


def _inject(work: Work) -> Outcome:
    resource, variables = work.resource, _variables(work)
    if isinstance(variables, Fail):
        return variables
    summary = f"{work.ctx.operation.kind} {resource.name} ({resource.plan_name})"
    made = rollout.change(work, config_group(resource.name), variables, summary)
    return Done({"version": made, "renew_before": _credentials(work).renew_before})


def _variables(work: Work) -> Mapping[str, str] | Fail:
    try:
        return environment(work.resource.name, _credentials(work).values, work.resource.env)
    except BadCredentials as error:
        return Fail(str(error))


def _credentials(work: Work) -> Credentials:
    """From the synchronous answer while it is in memory, else from the broker."""
    if work.credentials is None:
        work.credentials = delivered(work, work.binding(), work.caller, predecessor=_predecessor(work))
    return work.credentials


def _predecessor(work: Work) -> str | None:
    return work.resource.binding_id if result(work, "choose").get("rotatable") else None


MAKING = (
    step("bind", _bind, reserve_s=rollout.RESERVE_S, begins=True),
    step("await binding", _await, reserve_s=rollout.RESERVE_S),
    step("check", _check, reserve_s=rollout.RESERVE_S),
    step("offer", _offer, reserve_s=rollout.RESERVE_S),
    step("inject", _inject, reserve_s=rollout.RESERVE_S, begins=True),
)
