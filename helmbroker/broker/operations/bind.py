"""Bind: a user and a Secret made by the addon's binding chart, then the credentials read and kept."""

from __future__ import annotations

from helmbroker.broker.domain import naming
from helmbroker.broker.domain.credentials import Credentials
from helmbroker.broker.domain.helm_errors import HelmError
from helmbroker.broker.domain.operation import Phase
from helmbroker.broker.operations import converge
from helmbroker.broker.operations.work import BindingWork
from helmbroker.catalog import credentials
from helmbroker.catalog.credentials import Ref
from helmbroker.catalog.model import JSON, AddonFaults
from helmbroker.durable import Done, Fail, Outcome, Step, Wait

_LOOK_AGAIN_S = 0.5
TEMPLATE = "credentials.yaml"


def check(work: BindingWork) -> Outcome:
    """The instance may have failed, or gone, while the bind waited its turn."""
    if work.record.phase is not Phase.READY:
        reason = work.record.operation.description
        return Fail(f"The service instance cannot be bound ({work.record.phase}): {reason}")
    release = work.tools.cluster.release(work.record.instance.release)
    if release is None:
        return Fail("The Helm release of the service instance is gone from the cluster. Ask the operator.")
    converge.check_ours(release, release.ref, work.labels)
    return converge.admit(work, work.addon.binding_chart, _values(work), work.binding.binding.release)


def make_user(work: BindingWork) -> Outcome:
    work.ctx.note("making a user of its own")
    chart, release = work.addon.binding_chart, work.binding.binding.release
    return converge.install(work, chart, _values(work), release, work.binding_labels)


def read_credentials(work: BindingWork) -> Outcome:
    """Render the template, resolve its references, keep the result sealed."""
    binding = work.binding.binding
    try:
        rendered = work.tools.helm.render(work.addon.binding_chart, _values(work), binding.release, only=TEMPLATE)
        delivered = credentials.read(rendered)
    except HelmError as error:
        raise converge.failure(error, _values(work)) from error
    except AddonFaults as error:
        return Fail(f"The addon's credentials template is faulty: {error}. The addon's author has to mend it.")
    values: dict[str, JSON] = {}
    for item in delivered:
        value = item.value if isinstance(item.value, str) else _resolve(work, item.value)
        if value is None:
            return Wait(_LOOK_AGAIN_S, f"waiting for {item.value}, from which {item.name} is taken")
        values[item.name] = value
    with work.transaction() as tx:
        tx.deliver(binding.instance_id, binding.id, Credentials(values))
    return Done()


def _resolve(work: BindingWork, ref: Ref) -> str | None:
    owners = frozenset({work.record.instance.release.name, work.binding.binding.release.name})
    return work.tools.cluster.value(work.binding.binding.release.namespace, ref, owners)


def _values(work: BindingWork) -> dict[str, JSON]:
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


STEPS = (
    Step("check", check),
    Step("make user", make_user),
    Step("read credentials", read_credentials),
)
