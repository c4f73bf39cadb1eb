"""Catalog -> the OSB catalog document (OSB items 23-39)."""

from __future__ import annotations

import copy
from typing import Any, TypeVar

from openbrokerapi.catalog import Schemas, ServiceMetadata, ServicePlan, ServicePlanMetadata
from openbrokerapi.service_broker import Service

from helmbroker.catalog import schema_rules
from helmbroker.catalog.model import Addon, Catalog, Object, Plan

M = TypeVar("M", ServiceMetadata, ServicePlanMetadata)
_SHARED = {"sharedCredentials": True}  # all bindings of an instance deliver the same, and unbind revokes nothing


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
        metadata=_filled(ServicePlanMetadata(), _plan_metadata(plan)),
        free=plan.free,
        bindable=plan.bindable,
        binding_rotatable=plan.bindable and addon.binding_rotatable,
        plan_updateable=bool(addon.updates_to(plan)),
        maintenance_info=_maintenance_info(addon, plan),
        schemas=_schemas(plan),
        # the platform gives up later than the broker, so that the broker's reason is seen (OSB item 34)
        maximum_polling_duration=plan.timeout_s + 60,
    )


def _plan_metadata(plan: Plan) -> Object:
    return {**plan.metadata, **(_SHARED if plan.credentials_template else {})}


def _maintenance_info(addon: Addon, plan: Plan) -> dict[str, str]:
    """OSB item 35: the version of the revision that is offered, and what moving to it means."""
    notes = plan.upgrade_notes or addon.upgrade_notes
    return {"version": addon.version} | ({"description": notes} if notes else {})


def _filled(metadata: M, given: Object) -> M:
    """Metadata with the names of the OSB profile and any others (item 39); no name can upset a constructor."""
    vars(metadata).update(given)
    return metadata


def _schemas(plan: Plan) -> Schemas:
    create, update, bind = plan.parameters.create, plan.parameters.update, plan.parameters.bind
    instance = {name: _slot(schema) for name, schema in (("create", create), ("update", update)) if schema}
    return Schemas(
        service_instance=instance or None,
        service_binding={"create": _slot(bind)} if bind and plan.bindable else None,
    )


def _slot(schema: Object) -> dict[str, Any]:
    """In draft-04, which all platforms know, and Cloud Controller no other (OSB item 36).

    All that we take can be read so. What later drafts add is only not checked by the platform, but by us.
    """
    published: dict[str, Any] = copy.deepcopy(dict(schema))
    for _, node, _ in schema_rules.nodes(published):
        if "const" in node:
            node["enum"] = [node.pop("const")]
    return {"parameters": published | {"$schema": schema_rules.DRAFT_04}}


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
