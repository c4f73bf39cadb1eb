"""Rotate: a second binding beside the app's, its credentials into the app, and only then the end of the old ones.

At once, for credentials that are known to others: the old ones end before the app runs with the new ones.
"""

from __future__ import annotations

from collections.abc import Sequence

from helmbroker.controller_bridge.brokers import UnknownService
from helmbroker.controller_bridge.operations import offering, rollout
from helmbroker.controller_bridge.operations.making import MAKING
from helmbroker.controller_bridge.operations.removing import removing
from helmbroker.controller_bridge.operations.work import Ports, Work, result, run_or_undo, step
from helmbroker.controller_bridge.settings import LONGEST_GRACE_S
from helmbroker.durable import Context, Done, Fail, Failed, Outcome, Step, Wait, run_steps

_STAY = "could not be revoked"
_TRIED = "That is tried again in an hour, and with the next rotation"


def rotate(ctx: Context, ports: Ports) -> str:
    """Handler of the operation."""
    work = Work(ctx, ports)
    run_or_undo(work, REPLACE, UNDO)
    version = rollout.made(work, "inject")
    _run(work, RETIRE, f"release v{version} is live with new credentials, but the old ones {_STAY}", _TRIED)
    if work.resource.external:
        return (
            f"The new credentials are live in the app with release v{version}"
            if version
            else "The app has the credentials"
        )
    return f"The new credentials are live in the app with release v{version}, the old ones are revoked"


def rotate_now(ctx: Context, ports: Ports) -> str:
    """Handler of the operation that does not wait for the app."""
    work = Work(ctx, ports)
    run_or_undo(work, REPLACE_NOW, UNDO)
    version = rollout.made(work, "inject")
    _run(work, REVOKE, f"release v{version} is given new credentials, but the old ones {_STAY}", _TRIED)
    broken = f"the old credentials are revoked, but the app does not run with the new ones of v{version}"
    _run(work, WATCH, broken, "Rotate again when that is mended")
    return f"The old credentials were revoked at once, the new ones are live in the app with release v{version}"


def revoke(ctx: Context, ports: Ports) -> str:
    """Handler of the operation that ends what a rotation could not."""
    _run(Work(ctx, ports), REVOKE, f"the old credentials {_STAY}", "That is tried again later, with growing pauses")
    return "The old credentials are revoked"


def _run(work: Work, steps: Sequence[Step[Work]], failing: str, cure: str) -> None:
    """What cannot be undone any more: the app has the new credentials. Raises Failed."""
    try:
        run_steps(work.ctx, steps, work)
    except Failed as error:
        raise Failed(f"{failing}: {error.reason}. {cure}") from None


def _choose(work: Work) -> Outcome:
    """Whether the broker is told which binding the new one replaces: it has to know of rotation (OSB item 108)."""
    ref = work.instance()
    try:
        plans = work.ports.broker.service(ref).offering.plans
    except UnknownService:
        plans = ()
    return Done({"rotatable": any(plan.binding_rotatable for plan in plans if plan.id == ref.plan_id)})


def _compare(work: Work) -> Outcome:
    if rollout.made(work, "inject") is None and not work.resource.external:
        return Fail("the service gives the same credentials to every binding: they cannot be rotated")
    return Done()


def _switch(work: Work) -> Outcome:
    """From here on the new binding is the resource's, and the others are to go."""
    row = work.reload()
    if row.binding_id != work.successor:
        others = [each for each in row.bindings if each != work.successor]
        with work.ctx.transaction() as conn:
            work.ports.store.change(conn, row.uuid, binding_id=work.successor, other_bindings=others)
        work.reload()
    grace_s = 0.0 if row.external else work.ports.grace_s  # the bridge cannot end what is given elsewhere
    return Done({"revoke_at": work.now + grace_s} if grace_s else None)


def _grace(work: Work) -> Outcome:
    left_s = float(str(result(work, "switch").get("revoke_at", 0))) - work.now
    if left_s <= 0:
        return Done()
    return Wait(left_s, f"the app has the new credentials; the old ones end in {work.ports.grace_s:.0f} s")


def _new(work: Work) -> Sequence[str]:
    """Dropped when the app is back; kept when it may still run with it, or others may by its Secret."""
    used = rollout.recovery_failed(work.ctx.results) or offering.not_put_back(work.ctx.results)
    return () if work.successor is None or used else (work.successor,)


WATCH = rollout.watching("inject")
_SWITCH = step("switch", _switch)
_GIVE = (step("choose", _choose, reserve_s=rollout.RESERVE_S), *MAKING, step("compare", _compare))
REVOKE = removing("revoke", "await revoke", lambda work: work.resource.other_bindings)
_THEN_RETIRE_S = LONGEST_GRACE_S + rollout.RESERVE_S  # for open connections, and to revoke
REPLACE = (*_GIVE, *rollout.watching("inject", reserve_s=_THEN_RETIRE_S), _SWITCH)
RETIRE = (step("grace", _grace), *REVOKE)
REPLACE_NOW = (*_GIVE, _SWITCH)
UNDO = (
    *rollout.recovering("inject"),
    step("put offer back", offering.put_back),
    *removing("drop", "await drop", _new),
)
STEPS = (*REPLACE, *RETIRE)
STEPS_NOW = (*REPLACE_NOW, *REVOKE, *WATCH)
