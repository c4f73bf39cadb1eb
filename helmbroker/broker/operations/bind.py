"""Bind: a user and a Secret made by the addon's binding chart, then the credentials read and kept."""

from __future__ import annotations

from helmbroker.broker.domain import naming
from helmbroker.broker.domain.credentials import Credentials
from helmbroker.broker.domain.decisions import usable
from helmbroker.broker.domain.helm_errors import HelmError
from helmbroker.broker.domain.kept import Stage
from helmbroker.broker.domain.operation import Phase
from helmbroker.broker.operations import converge, remembering
from helmbroker.broker.operations.admission import admit
from helmbroker.broker.operations.failures import failure
from helmbroker.broker.operations.work import BindingWork
from helmbroker.catalog import credentials
from helmbroker.catalog.credentials import Ref
from helmbroker.catalog.model import JSON, AddonFaults
from helmbroker.durable import Done, Fail, Outcome, Step

TEMPLATE = "credentials.yaml"


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
    return admit(work, work.addon.binding_chart, chart_values(work), work.binding.binding.release)


def remember(work: BindingWork) -> Outcome:
    """Before the first effect: what is made from here on can be found again without the database."""
    remembering.binding_kept(work, work.binding.binding, Stage.MAKING)
    return Done()


def make_user(work: BindingWork) -> Outcome:
    chart, release = work.addon.binding_chart, work.binding.binding.release
    doing = "making a user"
    return converge.install(
        work, chart, chart_values(work), release, work.binding_labels, doing=doing, claims=False
    )


def read_credentials(work: BindingWork) -> Outcome:
    """Render the template, resolve its references, keep the result sealed."""
    binding = work.binding.binding
    try:
        rendered = work.tools.helm.render(
            work.addon.binding_chart, chart_values(work), binding.release, stop=work.ctx.stop, only=TEMPLATE
        )
        delivered = credentials.read(rendered)
    except HelmError as error:
        raise failure(work, error) from error
    except AddonFaults as error:
        faults = work.public(str(error))
        return Fail(f"The addon's credentials template is faulty: {faults}. The addon's author has to mend it.")
    values: dict[str, JSON] = {}
    for item in delivered.credentials:
        if isinstance(item.value, str):
            values[item.name] = item.value
            continue
        value, source = _resolve(work, item.value), item.value
        if value is None:
            missing = (
                f"{source.kind} {source.name} with the key {source.key}, which holds {item.name}, is not there"
            )
            return converge.wait(work, missing, hopeless=True)
        values[item.name] = value
    with work.transaction() as tx:
        tx.deliver(
            binding.instance_id, binding.id, Credentials(values), delivered.endpoints, work.plan.binding_lifetime
        )
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


def _resolve(work: BindingWork, ref: Ref) -> str | None:
    owners = frozenset({work.record.instance.release.name, work.binding.binding.release.name})
    return work.tools.cluster.value(work.binding.binding.release.namespace, ref, owners)


def chart_values(work: BindingWork) -> dict[str, JSON]:
    """Exactly what docs/reference/addon-format.md promises to a binding chart."""
    instance, binding = work.record.instance, work.binding.binding
    release = work.tools.cluster.release(instance.release)
    return {
        "instance": {
            "release": instance.release.name,
            "namespace": instance.release.namespace,
            "values": release.values if release is not None else {},
        },
        "binding": {
            "id": naming.binding_key(instance.id, binding.id),
            "parameters": binding.parameters.reveal(),
        },
    }


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
