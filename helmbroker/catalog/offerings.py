"""Catalog -> the OSB catalog document (OSB items 23-39)."""

from __future__ import annotations

from typing import Any

from openbrokerapi.catalog import Schemas, ServiceMetadata, ServicePlan, ServicePlanMetadata
from openbrokerapi.service_broker import Service

from helmbroker.catalog.model import Addon, Catalog, Plan


def offerings(catalog: Catalog) -> list[Service]:
    """One service class per addon. Every boolean is written out: Korifi reads a missing one as false."""
    return [
        Service(
            id=addon.id,
            name=addon.name,
            description=addon.description,
            bindable=addon.bindable,
            plans=[_plan(addon, plan) for plan in addon.plans],
            tags=list(addon.tags),
            metadata=ServiceMetadata(**addon.metadata),
            plan_updateable=addon.plan_updateable,
            instances_retrievable=True,
            bindings_retrievable=True,
            allow_context_updates=False,
        )
        for addon in catalog.addons
    ]


def _plan(addon: Addon, plan: Plan) -> ServicePlan:
    return ServicePlan(
        id=plan.id,
        name=plan.name,
        description=plan.description,
        metadata=ServicePlanMetadata(**plan.metadata),
        free=plan.free,
        bindable=addon.bindable,
        plan_updateable=addon.plan_updateable,
        schemas=_schemas(addon),
        # the platform gives up later than the broker, so that the broker's reason is seen (OSB item 34)
        maximum_polling_duration=plan.timeout_s + 60,
    )


def _schemas(addon: Addon) -> Schemas:
    given = addon.parameters
    instance = {
        name: _slot(schema) for name, schema in (("create", given.create), ("update", given.update)) if schema
    }
    binding = {"create": _slot(given.bind)} if given.bind and addon.bindable else {}
    return Schemas(service_instance=instance or None, service_binding=binding or None)


def _slot(schema: Any) -> dict[str, Any]:
    return {"parameters": schema}


def document(catalog: Catalog) -> dict[str, Any]:
    """The body of GET /v2/catalog, absent fields left out."""
    return {"services": [_plain(service) for service in offerings(catalog)]}


def _plain(value: Any) -> Any:
    if hasattr(value, "__dict__"):
        return {key: _plain(item) for key, item in vars(value).items() if item is not None and not _empty(item)}
    return [_plain(item) for item in value] if isinstance(value, list) else value


def _empty(value: Any) -> bool:
    """An object of the catalogue classes in which nothing is set."""
    return hasattr(value, "__dict__") and not any(item is not None for item in vars(value).values())
