"""What the broker knows about a resource, for showing one: asked when somebody looks, kept nowhere."""

from __future__ import annotations

import json

from helmbroker.controller_bridge.api.context import api
from helmbroker.controller_bridge.broker_port import BindingRef, BrokerError, Unreachable
from helmbroker.controller_bridge.delivery import BadCredentials, environment
from helmbroker.controller_bridge.model import BindingState, InstanceState, Resource
from helmbroker.controller_bridge.options import flat

_LIVE = (BindingState.READY, BindingState.ROTATING)
_SETTLED = (BindingState.UNBOUND, BindingState.FAILED, *_LIVE)


def credentials(resource: Resource) -> tuple[dict[str, str], str]:
    """The environment variables that the app has from the binding; and why they cannot be shown, or ''."""
    instance = resource.at_broker
    if resource.binding not in _LIVE or resource.binding_id is None or instance is None:
        return {}, ""
    if why := api().service.gone(resource.app):
        return {}, f"the credentials cannot be shown: {why}"
    try:
        found = api().broker.credentials(BindingRef(instance, resource.binding_id))
        return environment(resource.name, found.values, resource.env), ""
    except (BrokerError, Unreachable, BadCredentials) as error:
        return {}, f"the credentials cannot be shown: {error}"


def parameters(resource: Resource) -> dict[str, str] | None:
    """The options the instance runs with, dotted keys and texts; None: the broker does not show them now."""
    instance = resource.at_broker
    if resource.instance is not InstanceState.READY or resource.binding not in _SETTLED or instance is None:
        return None
    try:
        mine = (resource.broker, resource.service_id)
        found = [one for one in api().catalog.now().offered if (one.broker, one.offering.id) == mine]
        if not any(one.offering.instances_retrievable for one in found):
            return None
        shown = flat(api().broker.instance_parameters(instance))
        return {key: value if isinstance(value, str) else json.dumps(value) for key, value in shown.items()}
    except (BrokerError, Unreachable):
        return None
