"""Catalog -> the OSB catalog document (OSB items 23-39)."""

from __future__ import annotations

from typing import Any, TypeVar

from openbrokerapi.catalog import Schemas, ServiceMetadata, ServicePlan, ServicePlanMetadata
from openbrokerapi.service_broker import Service

from helmbroker.catalog.model import Addon, Catalog, Object, Plan

M = TypeVar("M", ServiceMetadata, ServicePlanMetadata)


def offerings(catalog: Catalog) -> list[Service]:
    """One service class per addon. Every boolean is written out: Korifi reads a missing one as false (item 32)."""
    return [
        Service(
            id=addon.id,
            name=addon.name,
            description=addon.description,
            bindable=addon.bindable,
            plans=[_plan(addon, plan) for plan in addon.plans],
            tags=list(addon.tags),
            metadata=_filled(ServiceMetadata(), addon.metadata),
            plan_updateable=any(addon.updates_to(plan) for plan in addon.plans),
            instances_retrievable=True,
            bindings_retrievable=True,
            allow_context_updates=True,
        )
        for addon in catalog.addons
    ]


def _plan(addon: Addon, plan: Plan) -> ServicePlan:
    return ServicePlan(
        id=plan.id,
        name=plan.name,
        description=plan.description,
        metadata=_filled(ServicePlanMetadata(), plan.metadata),
        free=plan.free,
        bindable=addon.bindable,
        binding_rotatable=addon.bindable and addon.binding_rotatable,
        plan_updateable=bool(addon.updates_to(plan)),
        maintenance_info=_maintenance_info(addon, plan),
        schemas=_schemas(addon),
        # the platform gives up later than the broker, so that the broker's reason is seen (OSB item 34)
        maximum_polling_duration=plan.timeout_s + 60,
    )


def _maintenance_info(addon: Addon, plan: Plan) -> dict[str, str]:
    """OSB item 35: the version of the revision that is offered, and what moving to it means."""
    notes = plan.upgrade_notes or addon.upgrade_notes
    return {"version": addon.version} | ({"description": notes} if notes else {})


def _filled(metadata: M, given: Object) -> M:
    """Metadata with the names of the OSB profile and any others (item 39); no name can upset a constructor."""
    vars(metadata).update(given)
    return metadata


def _schemas(addon: Addon) -> Schemas:
    create, update, bind = addon.parameters.create, addon.parameters.update, addon.parameters.bind
    instance = {name: _slot(schema) for name, schema in (("create", create), ("update", update)) if schema}
    return Schemas(
        service_instance=instance or None,
        service_binding={"create": _slot(bind)} if bind and addon.bindable else None,
    )


def _slot(schema: Object) -> dict[str, Any]:
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
