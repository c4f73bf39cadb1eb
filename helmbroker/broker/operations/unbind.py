"""Unbind: the user is dropped by the binding chart's own Job, which proves that the login is refused."""

from __future__ import annotations

from helmbroker.broker.domain.operation import Phase
from helmbroker.broker.operations import converge, remembering
from helmbroker.broker.operations.work import BindingWork
from helmbroker.durable import Done, Outcome, Step


def mark(work: BindingWork) -> Outcome:
    remembering.being_removed(work, work.binding.binding.release, work.binding_labels)
    return Done()


def drop_user(work: BindingWork) -> Outcome:
    """Where the instance was never made, or is gone, there is no server that could drop anybody."""
    instance = work.tools.cluster.release(work.record.instance.release)
    hooks = work.record.phase is not Phase.MAKE_FAILED and instance is not None
    work.ctx.note("dropping the user")
    return converge.remove(work, work.binding.binding.release, work.binding_labels, hooks=hooks)


def forget(work: BindingWork) -> Outcome:
    """The cluster first: what it remembers without a record would be found as lost."""
    work.ctx.still_ours()
    work.tools.cluster.forget(work.binding.binding.release.namespace, work.binding_labels)
    with work.transaction() as tx:
        tx.forget_binding(work.binding.binding.instance_id, work.binding.binding.id)
    return Done()


def summary(_work: BindingWork) -> str:
    """What the platform shows at the end."""
    return "the credentials are revoked"


STEPS = (
    Step("mark", mark),
    Step("drop user", drop_user),
    Step("forget", forget),
)
