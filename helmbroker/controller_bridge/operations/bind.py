"""Bind: PUT the binding, put its credentials into the app's config, watch the release; or undo all of it."""

from __future__ import annotations

from helmbroker.controller_bridge.broker_port import BrokerError, Caller, Credentials
from helmbroker.controller_bridge.naming import BadCredentials, config_group, environment
from helmbroker.controller_bridge.operations import rollout
from helmbroker.controller_bridge.operations.work import (
    Ports,
    Work,
    judge,
    result,
    run_or_undo,
    step,
    text,
    undoing,
)
from helmbroker.durable import Context, Done, Fail, Outcome, Wait


def bind(ctx: Context, ports: Ports) -> str:
    """Handler of the operation."""
    work = Work(ctx, ports)
    run_or_undo(work, STEPS, UNDO)
    version = rollout.made(work, "inject")
    return (
        f"The credentials are live in the app with release v{version}" if version else "The app has the credentials"
    )


def _bind(work: Work) -> Outcome:
    answer, work.credentials = work.acting.broker.bind(work.binding(), work.caller)
    return Done({"pending": answer.pending, "operation": answer.operation})


def _await(work: Work) -> Outcome:
    accepted = result(work, "bind")
    if not accepted.get("pending"):
        return Done()
    status = work.ports.broker.binding_status(work.binding(), text(accepted.get("operation")))
    if status.gone:
        return Fail("the broker has dropped the binding while it was made")
    return judge(work, status, "the broker makes the credentials")


def _inject(work: Work) -> Outcome:
    resource = work.resource
    try:
        variables = environment(resource.name, _credentials(work).values)
    except BadCredentials as error:
        return Fail(str(error))
    summary = f"bind {resource.name} ({resource.plan_name})"
    return rollout.change(work, config_group(resource.name), variables, summary)


def _credentials(work: Work) -> Credentials:
    """From the synchronous answer while it is in memory, else by GET; by PUT again where there is no GET."""
    if work.credentials is not None:
        return work.credentials
    try:
        return work.ports.broker.credentials(work.binding())
    except BrokerError:
        if result(work, "bind").get("pending"):
            raise
        _, given = work.acting.broker.bind(work.binding(), work.caller)
        return given or Credentials({})


def _unbind(work: Work) -> Outcome:
    answer = work.acting.broker.unbind(work.binding(), Caller(None))
    return Done({"pending": answer.pending, "operation": answer.operation})


def _await_unbind(work: Work) -> Outcome:
    accepted = result(work, "unbind")
    if not accepted.get("pending"):
        return Done()
    status = work.ports.broker.binding_status(work.binding(), text(accepted.get("operation")))
    outcome = judge(work, status, "the broker removes the credentials")
    return Wait(outcome.after_s, undoing(work, outcome.reason)) if isinstance(outcome, Wait) else outcome


STEPS = (
    step("bind", _bind, reserve_s=rollout.RESERVE_S),
    step("await binding", _await, reserve_s=rollout.RESERVE_S),
    step("inject", _inject, reserve_s=rollout.RESERVE_S),
    *rollout.watching("inject"),
)
UNDO = (
    *rollout.recovering("inject"),
    step("unbind", _unbind),
    step("await unbind", _await_unbind),
)
