"""What a binding delivers: its template rendered, and the references in it looked up.

The template is the binding chart's; or the plan names one that is rendered within the instance's own chart, with
the values that are deployed. Then there is no binding chart, and all bindings share what it says.
"""

from __future__ import annotations

from helmbroker.broker.domain.cluster import NotReady
from helmbroker.broker.domain.helm_errors import HelmError
from helmbroker.broker.operations import converge
from helmbroker.broker.operations.failures import failure
from helmbroker.broker.operations.work import BindingWork
from helmbroker.catalog import credentials
from helmbroker.catalog.delivery import Delivery
from helmbroker.catalog.model import JSON, AddonFaults, Object
from helmbroker.catalog.references import Ref
from helmbroker.durable import Failed

_TEMPLATE = "credentials.yaml"


def described(work: BindingWork) -> Delivery:
    """What the template says. Raises Failed, Transient, in words for the user."""
    try:
        return credentials.read(_rendered(work))
    except HelmError as error:
        raise failure(work, error) from error
    except AddonFaults as error:
        faults = work.public(str(error))
        raise Failed(
            f"The addon's credentials template is faulty: {faults}. The addon's author has to mend it."
        ) from error


def looked_up(work: BindingWork, delivery: Delivery) -> dict[Ref, JSON] | NotReady:
    """What is at the references, those left out that are optional and not there; or what has to be waited for."""
    owners = frozenset({work.record.instance.release.name, work.binding.binding.release.name})
    found = work.tools.cluster.values(work.binding.binding.release.namespace, delivery.refs, owners)
    there: dict[Ref, JSON] = {}
    for each in delivery.credentials:
        if not isinstance(each.value, Ref):
            continue
        value = found[each.value]
        if not isinstance(value, NotReady):
            there[each.value] = value
        elif not each.optional:
            name = f" (for the credential {each.name})" if each.name else ""
            return NotReady(f"{value.reason}{name}", value.hopeless)
    return there


def _rendered(work: BindingWork) -> str:
    served, stop = work.tools.cluster.capabilities(), work.ctx.stop
    if work.plan.credentials_template is None:
        chart = work.addon.binding_chart
        template, ref = chart / _TEMPLATE, work.binding.binding.release
        values: Object = work.chart_values()
    else:
        chart, ref = work.addon.chart, work.record.instance.release
        release = work.tools.cluster.release(ref)
        if release is None:
            raise Failed(converge.GONE)
        template, values = work.addon.folder / work.plan.credentials_template, release.given
    return work.tools.helm.render_alone(template, chart, values, ref, served, stop)
