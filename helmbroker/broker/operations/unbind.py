"""Unbind: the user is dropped by the binding chart's own Job, which proves that the login is refused.

A binding that shares the instance's credentials has neither user nor Helm release. Whether it has is asked of the
cluster: the addon may have been upgraded since it was made.
"""

from __future__ import annotations

from helmbroker import audit
from helmbroker.broker.domain.audit import Event
from helmbroker.broker.domain.operation import Phase
from helmbroker.broker.operations import converge, remembering
from helmbroker.broker.operations.work import BindingWork
from helmbroker.durable import JSON, Done, Outcome, Step

_SHARED = "its credentials are those of the service instance, and stay valid"


def mark(work: BindingWork) -> Outcome:
    """The result: whether there is a Helm release whose Job can drop the user, before anything is removed."""
    release = work.tools.cluster.release(work.binding.binding.release)
    remembering.being_removed(work, work.binding.binding.release, work.binding_labels)
    return Done(release is not None and release.belongs_to(work.binding_labels))


def drop_user(work: BindingWork) -> Outcome:
    """Where the instance was never made, or is gone, there is no server that could drop anybody.

    The result: why the server may still take the credentials; None when it was seen that it does not.
    """
    instance = work.tools.cluster.release(work.record.instance.release)
    hooks = work.record.phase is not Phase.MAKE_FAILED and instance is not None
    if not work.shares_credentials:
        work.ctx.note("dropping the user")
    outcome = converge.remove(work, work.binding.binding.release, work.binding_labels, hooks=hooks)
    return Done(_doubt(work, outcome.result, hooks)) if isinstance(outcome, Done) else outcome


def _doubt(work: BindingWork, left_alone: JSON, hooks: bool) -> str | None:
    if work.binding.binding.credentials is None:
        return None  # nobody ever got any
    made_a_user = work.ctx.results["mark"]  # None: the operation began in a version that did not ask
    if not made_a_user and work.shares_credentials:
        return _SHARED
    if left_alone is not None:
        why = str(left_alone)
    elif not hooks:
        why = "the service instance has no server that could be asked"
    elif made_a_user is False:
        why = "the Helm release that made their user is gone"
    else:
        return None
    return f"whether its credentials are refused could not be checked: {why}"


def forget(work: BindingWork) -> Outcome:
    """The cluster first: what it remembers without a record would be found as lost."""
    work.ctx.still_ours()
    work.tools.cluster.forget(work.binding.binding.release.namespace, work.binding_labels)
    ids = work.binding.binding.instance_id, work.binding.binding.id
    doubt = work.ctx.results["drop user"]
    with work.transaction() as tx:
        tx.forget_binding(*ids)
        if doubt is not None:
            about = {"reason": str(doubt)}
            tx.tell(Event("revoke", audit.Outcome.FAILED, *ids, work.ctx.operation.id, about))
    return Done()


def summary(work: BindingWork) -> str:
    """What the platform shows at the end."""
    doubt = work.ctx.results["drop user"]
    return "the credentials are revoked" if doubt is None else f"the binding is gone; {doubt}"


STEPS = (
    Step("mark", mark),
    Step("drop user", drop_user),
    Step("forget", forget),
)
