"""Bind: a user and a Secret made by the addon's binding chart, then the credentials read and kept."""

from __future__ import annotations

from helmbroker.broker.domain.cluster import NotReady
from helmbroker.broker.domain.credentials import Credentials
from helmbroker.broker.domain.decisions import usable
from helmbroker.broker.domain.kept import Stage
from helmbroker.broker.domain.operation import Phase
from helmbroker.broker.operations import converge, delivering, remembering
from helmbroker.broker.operations.admission import admit
from helmbroker.broker.operations.pending import HOPELESS_AGAIN_S
from helmbroker.broker.operations.work import BindingWork
from helmbroker.durable import Done, Fail, Outcome, Step, Wait


def check(work: BindingWork) -> Outcome:
    """The instance may have failed, or gone, while the bind waited its turn."""
    made = work.record.phase in (Phase.READY, Phase.UPDATING, Phase.UPDATE_FAILED)  # an update may wait behind
    if not made or not usable(work.record):
        reason = work.record.operation.description
        return Fail(f"The service instance cannot be bound ({work.record.phase}): {reason}")
    release = work.tools.cluster.release(work.record.instance.release)
    if release is None:
        return Fail(converge.GONE)
    converge.check_ours(release, release.ref, work.labels)
    if broken := converge.unreadable(release):
        return broken
    if work.shares_credentials:
        return Done()
    return admit(work, work.addon.binding_chart, work.chart_values(), work.binding.binding.release)


def remember(work: BindingWork) -> Outcome:
    """Before the first effect: what is made from here on can be found again without the database."""
    remembering.binding_kept(work, work.binding.binding, Stage.MAKING)
    return Done()


def make_user(work: BindingWork) -> Outcome:
    """Without a binding chart there is nobody to make: bindings share what the instance has."""
    if work.shares_credentials:
        return Done()
    chart, release = work.addon.binding_chart, work.binding.binding.release
    doing = "making a user"
    return converge.install(
        work, chart, work.chart_values(), release, work.binding_labels, doing=doing, claims=False
    )


def read_credentials(work: BindingWork) -> Outcome:
    """Render the template, look up its references, keep the result sealed."""
    delivery = delivering.described(work)
    found = delivering.looked_up(work, delivery)
    if isinstance(found, NotReady):
        outcome = converge.wait(work, found.reason, hopeless=found.hopeless)
        # each look renders anew, so it is not taken as often as others
        return Wait(HOPELESS_AGAIN_S, outcome.reason) if isinstance(outcome, Wait) else outcome
    binding, values = work.binding.binding, Credentials(delivery.assembled(found))
    with work.transaction() as tx:
        tx.deliver(binding.instance_id, binding.id, values, delivery.endpoints, work.plan.binding_lifetime)
    return Done()


def confirm(work: BindingWork) -> Outcome:
    """The cluster remembers what was delivered; the record, by which revision of the Helm release."""
    ids = work.binding.binding.instance_id, work.binding.binding.id
    with work.transaction() as tx:
        delivered = tx.binding(*ids)
    if delivered is None:
        return Fail("There is no record of the service binding.")
    revision = remembering.binding_kept(work, delivered.binding, Stage.MADE)
    with work.transaction() as tx:
        tx.deployed(*ids, revision)
    return Done()


def summary(_work: BindingWork) -> str:
    """What the platform shows at the end."""
    return "the credentials are ready"


STEPS = (
    Step("check", check),
    Step("remember", remember),
    Step("make user", make_user),
    Step("read credentials", read_credentials),
    Step("confirm", confirm),
)
