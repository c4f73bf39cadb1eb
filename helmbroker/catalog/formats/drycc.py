"""The addon format of Drycc: folder -> Addon, or all its faults. The reference page has what differs from there."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from helmbroker.catalog import profile
from helmbroker.catalog.documents import Document
from helmbroker.catalog.formats import allow_list, foreign, foreign_schemas, hooks
from helmbroker.catalog.formats.foreign import FLAG, SCALAR, PlanFile, PlanFolders
from helmbroker.catalog.formats.reading import Reading
from helmbroker.catalog.model import STRICT, Addon, Legacy, Object, ParameterSchemas, Plan
from helmbroker.catalog.schemas import validator

_RULES = validator(
    {
        "type": "object",
        "required": ["id", "name", "version", "description", "bindable"],
        "properties": {
            **foreign.ADDON,
            "displayName": SCALAR,
            "metadata": {"type": ["object", "null"]},
            "plan_updateable": FLAG,
            "allow_parameters": {"type": ["array", "null"], "items": allow_list.ENTRY},
            "archive": FLAG,
            "instances_retrievable": {},  # always true with us, as is what follows
            "bindings_retrievable": {},
            "allow_context_updates": {},
            "requires": {},
            "dashboard_client": {},
        },
    }
)
_PLAN_RULES = validator(
    {
        "type": "object",
        "required": ["id", "name", "description"],
        "properties": {
            **foreign.PLAN,
            "metadata": {"type": ["object", "null"]},
            "plan_updateable": FLAG,
            "maximum_polling_duration": {"type": ["integer", "null"], "minimum": 1},
            "binding_rotatable": {},
            "schemas": {},
            "maintenance_info": {},
        },
    }
)
_NOT_OFFERED = {
    "requires": "is not offered: the broker gives no permissions on the platform",
    "dashboard_client": "is not offered: there is no single sign-on to dashboards",
    "binding_rotatable": "is not offered: all bindings share their credentials",
    "schemas": "is not read: parameters are what allow_parameters says",
    "maintenance_info": "is not read: it is made of the addon's version",
}
_MARKS = frozenset({"allow_parameters", "instances_retrievable", "plan_updateable", "metadata", "archive"})


def is_one(names: Collection[str], meta: Collection[str]) -> bool:
    """Whether an addon with these files and keys of meta.yaml is Drycc's, and not Kyma's, which is flat."""
    return bool(_MARKS.intersection(meta)) or any(name.endswith("/instance-schema.json") for name in names)


def load(reading: Reading, legacy: Legacy = STRICT) -> Addon:
    """With open parameters an empty `allow_parameters` means that everything may be set. Raises AddonFaults."""
    document, data, folders, found = foreign.read(reading, _RULES, _PLAN_RULES)
    _tell_not_offered(reading, document, data)
    name = foreign.text(document, "name")
    create, update = _allowed(reading, document, data, is_open=name in legacy.open_parameters)
    names = [foreign.text(plan_document, "name") for _, plan_document, _ in found]
    plans = {}
    for where, plan_document, plan_data in found:
        schemas = ParameterSchemas(
            foreign_schemas.additional(reading, f"{where}/instance-schema.json", create), update
        )
        plans[where] = _plan(reading, folders, (where, plan_document, plan_data), data, schemas, names)
    return foreign.addon(
        reading,
        document,
        plans,
        tags=foreign.tags(data.get("tags")),
        metadata=_metadata(reading, document, data, profile.OFFERING),
        bindable=data["bindable"] is True,
        plan_updateable=data.get("plan_updateable") is True,
        archived=data.get("archive") is True,
        hooks=legacy.hooks.get(name),
        dotted_parameters=True,
        fullname_value="fullnameOverride",
        plan_value=hooks.VALUE,
    )


def _plan(
    reading: Reading,
    folders: PlanFolders,
    found: PlanFile,
    addon: dict[str, Any],
    parameters: ParameterSchemas,
    names: list[str],
) -> Plan:
    where, document, data = found
    _tell_not_offered(reading, document, data)
    own, all_plans = data.get("plan_updateable"), addon.get("plan_updateable") is True
    others = tuple(name for name in names if name != foreign.text(document, "name"))
    bindable = data.get("bindable") if data.get("bindable") is not None else addon["bindable"]
    return foreign.plan(
        document,
        data,
        metadata=_metadata(reading, document, data, profile.PLAN),
        values=folders.values(where),
        parameters=parameters,
        template=folders.credentials_template(where) if bindable else None,
        updates_to=None if own is None or own == all_plans else others if own else (),
    )


def _allowed(
    reading: Reading, document: Document, data: dict[str, Any], *, is_open: bool
) -> tuple[Object | None, Object | None]:
    """Schemas for create and update."""
    if entries := data.get("allow_parameters"):
        return allow_list.schemas(reading, document, entries)
    if is_open:
        return allow_list.OPEN, allow_list.OPEN
    why = "names nothing: nothing may be set (with Drycc: everything; HELMBROKER_LEGACY_OPEN_PARAMETERS)"
    reading.warn(document, why, ("allow_parameters",))
    return None, None


def _metadata(reading: Reading, document: Document, data: dict[str, Any], rules: dict[str, Any]) -> dict[str, Any]:
    """With the names of the OSB profile (OSB item 39) for those of Drycc."""
    given = dict(data.get("metadata") or {})
    provider = given.pop("provider", None)
    if isinstance(provider, dict):
        given = {"providerDisplayName": provider.get("name"), "supportUrl": provider.get("supportURL"), **given}
    if "documentationURL" in given:
        given["documentationUrl"] = given.pop("documentationURL")
    if "displayName" in data and not given.get("displayName"):
        given["displayName"] = foreign.text(document, "displayName")
    return foreign.profile(reading, document, given, rules)


def _tell_not_offered(reading: Reading, document: Document, data: dict[str, Any]) -> None:
    for key, why in _NOT_OFFERED.items():
        if data.get(key):
            reading.warn(document, why, (key,))
