"""The addon format of Kyma's helm-broker: folder -> Addon, or all its faults."""

from __future__ import annotations

from typing import Any

from helmbroker.catalog import profile
from helmbroker.catalog.documents import Document
from helmbroker.catalog.formats import foreign, foreign_schemas, versions
from helmbroker.catalog.formats.foreign import FLAG, SCALAR, PlanFile, PlanFolders
from helmbroker.catalog.formats.reading import Reading
from helmbroker.catalog.model import STRICT, Addon, Legacy, ParameterSchemas, Plan
from helmbroker.catalog.schemas import validator

_METADATA = {
    "displayName": "displayName",
    "longDescription": "longDescription",
    "providerDisplayName": "providerDisplayName",
    "documentationURL": "documentationUrl",
    "supportURL": "supportUrl",
    "imageURL": "imageUrl",
}
_RULES = validator(
    {
        "type": "object",
        "required": ["id", "name", "version", "description", "displayName"],
        "properties": {
            **foreign.ADDON,
            **{key: {**SCALAR, "type": [*SCALAR["type"], "null"]} for key in _METADATA},
            "labels": {"type": ["object", "null"], "additionalProperties": SCALAR},
            "planUpdatable": FLAG,
            "provisionOnlyOnce": FLAG,
            "bindingsRetrievable": {},  # always true, as it was there
            "requires": {"type": ["array", "null"]},
        },
    }
)
_PLAN_RULES = validator(
    {
        "type": "object",
        "required": ["id", "name", "description", "displayName"],
        "properties": foreign.PLAN,
    }
)
_DOCS = "docs/meta.yaml"


def load(reading: Reading, legacy: Legacy = STRICT) -> Addon:
    """With open parameters schemas are left as open as they are. Raises AddonFaults."""
    document, data, folders, found = foreign.read(reading, _RULES, _PLAN_RULES)
    if versions.coerced(foreign.text(document, "version")) is None:
        reading.add([document.fault(("version",), "is no version; write 1, 1.2 or 1.2.3")])
    leave_open = foreign.text(document, "name") in legacy.open_parameters
    plans = {each[0]: _plan(reading, folders, each, data, leave_open=leave_open) for each in found}
    _check_rest(reading, document, data)
    return foreign.addon(
        reading,
        document,
        plans,
        tags=foreign.tags(data.get("tags")),
        metadata=_metadata(reading, document, data),
        bindable=data.get("bindable") is True,
        plan_updateable=data.get("planUpdatable") is True,
    )


def _plan(
    reading: Reading,
    folders: PlanFolders,
    found: PlanFile,
    addon: dict[str, Any],
    *,
    leave_open: bool,
) -> Plan:
    where, document, data = found
    bindable = data.get("bindable") if data.get("bindable") is not None else addon.get("bindable")
    schemas = {
        kind: foreign_schemas.closed(reading, f"{where}/{kind}-instance-schema.json", leave_open=leave_open)
        for kind in ("create", "update", "bind")
    }
    return foreign.plan(
        document,
        data,
        metadata=foreign.profile(
            reading, document, {"displayName": foreign.text(document, "displayName")}, profile.PLAN
        ),
        values=folders.values(where),
        parameters=ParameterSchemas(**schemas),
        template=folders.credentials_template(where) if bindable else None,
    )


def _metadata(reading: Reading, document: Document, data: dict[str, Any]) -> dict[str, Any]:
    """Labels as that broker published them, too: platforms select by them."""
    given: dict[str, Any] = {
        ours: foreign.text(document, theirs) for theirs, ours in _METADATA.items() if data.get(theirs) is not None
    }
    given["labels"] = {**(data.get("labels") or {}), "local": "true"}
    if data.get("provisionOnlyOnce"):
        given["labels"]["provisionOnlyOnce"] = "true"
    return foreign.profile(reading, document, given, profile.OFFERING)


def _check_rest(reading: Reading, document: Document, data: dict[str, Any]) -> None:
    for label in ("local", "provisionOnlyOnce"):
        if label in (data.get("labels") or {}):
            reading.warn(document, "is reserved; what is written here does not count", ("labels", label))
    if data.get("provisionOnlyOnce"):
        why = "is told to platforms, but not enforced: a second instance is not refused"
        reading.warn(document, why, ("provisionOnlyOnce",))
    if data.get("requires"):
        reading.warn(document, "is not offered: the broker gives no permissions on the platform", ("requires",))
    docs = reading.yaml(_DOCS) if _DOCS in reading.names else None
    listed: Any = docs.data.get("docs") if docs is not None and isinstance(docs.data, dict) else None
    if docs is not None and not (isinstance(listed, list) and len(listed) == 1):
        reading.warn(docs, "has not exactly one entry in `docs`; it is not read anyway")
