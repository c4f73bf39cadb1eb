"""What the broker knows about a resource, for showing one: asked when somebody looks, kept nowhere."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from helmbroker.controller_bridge.api.context import api
from helmbroker.controller_bridge.broker_port import BindingRef, BrokerError, InstanceRef, Unreachable
from helmbroker.controller_bridge.delivery import BadCredentials, environment
from helmbroker.controller_bridge.model import BindingState, InstanceState, Resource
from helmbroker.durable import JSON

_LIVE = (BindingState.READY, BindingState.ROTATING)
_SETTLED = (BindingState.UNBOUND, BindingState.FAILED, *_LIVE)


def credentials(resource: Resource) -> tuple[dict[str, str], str]:
    """The environment variables that the app has from the binding; and why they cannot be shown, or ''."""
    instance = _instance(resource)
    if resource.binding not in _LIVE or resource.binding_id is None or instance is None:
        return {}, ""
    try:
        found = api().broker.credentials(BindingRef(instance, resource.binding_id))
        return environment(resource.name, found.values, resource.env), ""
    except (BrokerError, Unreachable, BadCredentials) as error:
        return {}, f"the credentials cannot be shown: {error}"


def parameters(resource: Resource) -> dict[str, str] | None:
    """The options the instance runs with, dotted keys and texts; None: the broker does not show them now."""
    instance = _instance(resource)
    if resource.instance is not InstanceState.READY or resource.binding not in _SETTLED or instance is None:
        return None
    try:
        offering = api().catalog.find(resource.service)
        if offering is None or not offering.instances_retrievable:
            return None
        return dict(_flat("", api().broker.instance_parameters(instance)))
    except (BrokerError, Unreachable):
        return None


def _instance(resource: Resource) -> InstanceRef | None:
    if resource.service_id is None or resource.plan_id is None:
        return None
    return InstanceRef(
        resource.instance_id, resource.service_id, resource.plan_id, app=resource.app, name=resource.name
    )


def _flat(prefix: str, values: Mapping[str, JSON]) -> Iterator[tuple[str, str]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(f"{prefix}{key}.", value)
        elif value is not None:
            yield f"{prefix}{key}", value if isinstance(value, str) else json.dumps(value)
