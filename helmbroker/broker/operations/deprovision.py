"""Deprovision: nothing of the instance and its bindings is left, from whatever state it was in."""

from __future__ import annotations

from helmbroker.broker.domain import naming
from helmbroker.broker.operations import converge
from helmbroker.broker.operations.work import Work
from helmbroker.catalog.model import DataPolicy
from helmbroker.durable import Done, Outcome, Step, Wait

_LOOK_AGAIN_S = 0.4


def uninstall_bindings(work: Work) -> Outcome:
    """Without hooks: the server and its users go as a whole, and it may not even run."""
    instance = work.record.instance
    with work.transaction() as tx:
        bindings = [record.binding for record in tx.bindings(instance.id)]
    for binding in bindings:
        labels = naming.binding_labels(work.tools.broker_id, instance.id, binding.id)
        converge.uninstall(work, binding.release, labels, hooks=False)
    return Done()


def uninstall(work: Work) -> Outcome:
    work.ctx.note("uninstalling")
    return converge.uninstall(work, work.record.instance.release, work.labels, hooks=True)


def sweep(work: Work) -> Outcome:
    """What Helm leaves behind: Jobs of hooks, and the claims of a StatefulSet if the plan says so."""
    work.tools.cluster.sweep(work.record.instance.release, claims=_deletes_data(work))
    return Done()


def await_gone(work: Work) -> Outcome:
    left = work.tools.cluster.leftovers(work.record.instance.release, claims=_deletes_data(work))
    return Wait(_LOOK_AGAIN_S, f"waiting until these are gone: {', '.join(left[:5])}") if left else Done()


def forget(work: Work) -> Outcome:
    with work.transaction() as tx:
        tx.forget_instance(work.record.instance.id)
    return Done()


def _deletes_data(work: Work) -> bool:
    return work.plan.data is DataPolicy.DELETE


STEPS = (
    Step("uninstall bindings", uninstall_bindings),
    Step("uninstall", uninstall),
    Step("sweep", sweep),
    Step("await gone", await_gone),
    Step("forget", forget),
)
