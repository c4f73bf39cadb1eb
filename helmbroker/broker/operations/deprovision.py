"""Deprovision: nothing of the instance and its bindings is left, from whatever state it was in."""

from __future__ import annotations

from helmbroker.broker.domain import naming
from helmbroker.broker.operations import converge, remembering
from helmbroker.broker.operations.work import Work
from helmbroker.durable import Done, Outcome, Step


def mark(work: Work) -> Outcome:
    remembering.being_removed(work, work.record.instance.release, work.labels)
    return Done()


def uninstall_bindings(work: Work) -> Outcome:
    """Without hooks: the server and its users go as a whole, and it may not even run."""
    instance = work.record.instance
    with work.transaction() as tx:
        bindings = [record.binding for record in tx.bindings(instance.id)]
    for binding in bindings:
        labels = naming.binding_labels(work.tools.broker_id, instance.id, binding.id)
        client = [naming.client_release(binding.release)] if binding.id == naming.CONTRACT else []
        for ref in (*client, binding.release):
            outcome = converge.remove(work, ref, labels, hooks=False)
            if not isinstance(outcome, Done):
                return outcome
    return Done()


def uninstall(work: Work) -> Outcome:
    """With the chart's own clean-up where the instance once ran; a clean-up that fails keeps nobody here."""
    work.ctx.note(f"uninstalling {work.addon.name}")
    return converge.remove_at_any_rate(work, work.record.instance.release, work.labels)


def sweep(work: Work) -> Outcome:
    """What Helm leaves behind: what hooks made, and the claims of a StatefulSet if the plan says so."""
    if not _somebody_elses(work):
        converge.sweep(work, work.record.instance.release, claims=work.deletes_data)
    return Done()


def await_gone(work: Work) -> Outcome:
    if _somebody_elses(work):
        return Done()
    return converge.await_gone(work, work.record.instance.release, claims=work.deletes_data)


def forget(work: Work) -> Outcome:
    """The cluster first, and what it remembers of bindings too; labels without a binding's are on all of them."""
    work.ctx.still_ours()
    work.tools.cluster.forget(work.record.instance.release.namespace, work.labels)
    with work.transaction() as tx:
        tx.forget_instance(work.record.instance.id)
    return Done()


def summary(work: Work) -> str:
    """What the platform shows at the end."""
    parts = [f"{work.addon.name} is deleted"]
    if not work.deletes_data:
        parts.append("its volumes are kept, as the plan says")
    note = work.ctx.results["uninstall"]
    if note is not None:
        parts.append(str(note))
    return "; ".join(parts)


def _somebody_elses(work: Work) -> bool:
    """Whether what now has our name is not ours: then all that carries the name is not ours either."""
    return converge.is_foreign(work.tools.cluster.release(work.record.instance.release), work.labels)


STEPS = (
    Step("mark", mark),
    Step("uninstall bindings", uninstall_bindings),
    Step("uninstall", uninstall),
    Step("sweep", sweep),
    Step("await gone", await_gone),
    Step("forget", forget),
)
