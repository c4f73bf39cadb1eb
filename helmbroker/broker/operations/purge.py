"""Purge: a Helm release of ours that no record knows is removed, and what the cluster remembers of it.

Begun by an operator's command alone. What is not ours, or has a record by now, is left alone. The Helm release goes
after everything that Helm leaves behind: a purge that fails on the way can be asked for again.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from helmbroker.broker.domain import naming
from helmbroker.broker.domain.helm_errors import HelmError
from helmbroker.broker.domain.naming import ReleaseRef
from helmbroker.broker.domain.store_ports import Transaction
from helmbroker.broker.operations.work import Tools
from helmbroker.durable import Context, Done, Fail, Failed, Outcome, Step, Transient, Wait

_LOOK_AGAIN_S = 1.0


@dataclass
class PurgeWork:
    """One claim of one purge. with_data: volumes go, too."""

    ctx: Context
    tools: Tools
    ref: ReleaseRef
    with_data: bool
    transaction: Callable[[], AbstractContextManager[Transaction]]  # fenced: ours, or LeaseLost

    @property
    def broker(self) -> dict[str, str]:
        """The label that is on everything of ours."""
        return {naming.LABEL_BROKER: self.tools.broker_id}


def clear(work: PurgeWork) -> Outcome:
    """What Helm would leave behind: what hooks made, and volumes if they are to go."""
    refusal = _refusal(work)
    if refusal is not None:
        return Fail(refusal)
    work.ctx.note(f"removing what belongs to {work.ref.name}")
    work.tools.cluster.sweep(work.ref, claims=work.with_data, meanwhile=work.ctx.still_ours)
    return Done()


def uninstall(work: PurgeWork) -> Outcome:
    """Without the chart's own clean-up: there is no record of what it would talk to."""
    refusal = _refusal(work)
    if refusal is not None:
        return Fail(refusal)
    work.ctx.note(f"uninstalling {work.ref.name}")
    timeout_s = max(1.0, work.ctx.remaining_s)
    work.ctx.still_ours()
    try:
        work.tools.helm.uninstall(work.ref, hooks=False, timeout_s=timeout_s, stop=work.ctx.stop)
    except HelmError as error:
        reason = f"The Helm release {work.ref.name} could not be removed: {error.fault}. Try again."
        raise (Transient(reason) if error.retryable else Failed(reason)) from error
    work.tools.cluster.drop_unreadable(work.ref, work.ctx.still_ours)
    return Done()


def forget(work: PurgeWork) -> Outcome:
    """What is remembered, when nothing else is left."""
    refusal = _refusal(work)
    if refusal is not None:
        return Fail(refusal)
    left = work.tools.cluster.leftovers(work.ref, claims=work.with_data)
    if left:
        return Wait(_LOOK_AGAIN_S, f"not gone yet: {', '.join(left[:5])}")
    record = work.tools.cluster.record(work.ref)
    if record is not None and record.belongs_to(work.broker):
        work.ctx.still_ours()
        work.tools.cluster.forget(work.ref.namespace, record.labels)
    return Done()


def summary(work: PurgeWork) -> str:
    """What the operator is told at the end."""
    return f"{work.ref.name} is removed" + ("" if work.with_data else "; its volumes are kept")


STEPS = (
    Step("clear", clear),
    Step("uninstall", uninstall),
    Step("forget", forget),
)


def _refusal(work: PurgeWork) -> str | None:
    """Why nothing may be touched, looked at anew before every effect."""
    name = f"{work.ref.name} in namespace {work.ref.namespace}"
    with work.transaction() as tx:
        if tx.has_record(work.ref):
            return f"{name} has a record by now. Delete the service instance or binding instead."
    release = work.tools.cluster.release(work.ref)
    if release is not None and not release.belongs_to(work.broker):
        return f"The Helm release {name} is not this broker's and is left alone."
    record = work.tools.cluster.record(work.ref)
    ours = release is not None or (record is not None and record.belongs_to(work.broker))
    done = "uninstall" in work.ctx.results or work.ctx.operation.fence > 1
    return None if ours or done else f"There is nothing of this broker's under the name {name}."
