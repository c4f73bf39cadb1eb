"""Reinject: give an app what its bindings deliver, once more, where a build, a rollback or a crash has taken it.

All bindings of the app are one change, so one rollout. A release that crashes is taken back, and not tried again;
what could not be released is.
"""

from __future__ import annotations

from collections.abc import Mapping

from helmbroker.controller_bridge.apps.port import ConfigChange
from helmbroker.controller_bridge.broker_port import BindingRef, BrokerError, Caller
from helmbroker.controller_bridge.delivery import BadCredentials, environment
from helmbroker.controller_bridge.model import BindingState, Resource
from helmbroker.controller_bridge.naming import config_group
from helmbroker.controller_bridge.operations import rollout
from helmbroker.controller_bridge.operations.delivered import delivered
from helmbroker.controller_bridge.operations.work import Ports, Work, instance_of, result, run_or_undo, step
from helmbroker.durable import Context, Done, Failed, Outcome

_HELD = (BindingState.READY, BindingState.ROTATING)
_ENDED = (BindingState.UNBOUND, BindingState.FAILED)
_AFTERWARDS = (
    "the app runs without these credentials; they are tried again with its next release that comes up, or at once "
    "by `drycc resources rotate`"
)
_SOON = "they are tried again at the next look at the app"


def reinject(ctx: Context, ports: Ports) -> str:
    """Handler of the operation. Raises Failed; then the app is as it was before."""
    work = Work(ctx, ports)
    try:
        run_or_undo(work, STEPS, UNDO)
    except Failed as error:
        raise Failed(f"{error.reason}; {_AFTERWARDS if result(work, 'recover') else _SOON}") from None
    problems = result(work, "inject").get("problems")
    if isinstance(problems, list) and problems:
        raise Failed("; ".join(map(str, problems)))
    version = rollout.made(work, "inject")
    return f"The credentials are back in the app with release v{version}" if version else "The app has all of it"


def _inject(work: Work) -> Outcome:
    with work.ports.store.reading() as conn:
        rows, gone = work.ports.store.living(conn, work.app), work.ports.store.gone(conn, work.app)
    groups: dict[str, Mapping[str, str] | None] = {config_group(name): None for name in gone}
    problems: list[str] = []
    for row in rows:
        groups.pop(config_group(row.name), None)
        if row.binding in _ENDED:
            groups[config_group(row.name)] = None
        elif row.binding in _HELD:
            try:
                groups[config_group(row.name)] = _variables(work, row)
            except (BrokerError, BadCredentials) as error:
                if isinstance(error, BrokerError) and error.busy:
                    raise
                problems.append(f"the credentials of {row.name} cannot be had: {error}")
    described = {"author": work.user, "summary": "credentials of bindings", "key": work.ctx.operation.id}
    made = work.acting.apps.change_config(work.app, ConfigChange(groups), **described)
    return Done({"version": made, "problems": problems})


def _variables(work: Work, row: Resource) -> Mapping[str, str]:
    """What the row's binding delivers, as its app gets it. Raises BrokerError, BadCredentials, Unreachable."""
    if row.binding_id is None:
        raise BadCredentials("it has no binding")
    given = delivered(work, BindingRef(instance_of(row), row.binding_id), Caller(None))
    return environment(row.name, given.values, row.env)


STEPS = (step("inject", _inject, reserve_s=rollout.RESERVE_S, begins=True), *rollout.watching("inject"))
UNDO = rollout.recovering("inject")
