"""Instances and bindings as tests make them up."""

from __future__ import annotations

from helmbroker.broker.domain import naming
from helmbroker.broker.domain.credentials import Parameters
from helmbroker.broker.domain.instance import ServiceBinding, ServiceInstance
from helmbroker.catalog.model import JSON, Addon

NAMESPACE = "instances"


def service_instance(
    addon: Addon, instance_id: str = "instance", *, plan: str = "small", **parameters: JSON
) -> ServiceInstance:
    """An instance of a plan of the addon."""
    chosen = next(each for each in addon.plans if each.name == plan)
    return ServiceInstance(
        id=instance_id,
        service_id=addon.id,
        plan_id=chosen.id,
        organization_guid="org",
        space_guid="space",
        parameters=Parameters(parameters),
        context={"platform": "kubernetes"},
        release=naming.instance_release(NAMESPACE, "0123456789abcdef", instance_id),
        addon_digest=addon.digest,
    )


def service_binding(instance: ServiceInstance, binding_id: str = "binding", **parameters: JSON) -> ServiceBinding:
    """A binding of the instance."""
    return ServiceBinding(
        id=binding_id,
        instance_id=instance.id,
        service_id=instance.service_id,
        plan_id=instance.plan_id,
        app_guid="app",
        parameters=Parameters(parameters),
        context={"platform": "kubernetes"},
        release=naming.binding_release(instance.release, instance.id, binding_id),
    )
