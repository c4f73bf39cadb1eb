"""The native addon format (docs/reference/addon-format.md): folder -> Addon, or all its faults."""

from __future__ import annotations

from pathlib import Path, PurePath
from typing import Any

from helmbroker.catalog import archive, credentials, profile, schema_rules
from helmbroker.catalog.documents import Document
from helmbroker.catalog.formats import versions
from helmbroker.catalog.formats.reading import Reading
from helmbroker.catalog.model import Addon, DataPolicy, Fault, Lifetime, ParameterSchemas, Plan, PodSecurity
from helmbroker.catalog.schemas import validator

FILE = "addon.yaml"
TEMPLATE = "binding/credentials.yaml"

_UUID: dict[str, Any] = {"type": "string", "pattern": "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"}
_NAME: dict[str, Any] = {"type": "string", "pattern": "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", "maxLength": 63}
_TEXT: dict[str, Any] = {"type": "string", "minLength": 1, "maxLength": 255}
_KINDS = ("create", "update", "bind")
_PARAMETERS: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {kind: {"type": "object"} for kind in _KINDS},
}
_ADDON = validator(
    {
        "type": "object",
        "additionalProperties": False,
        "required": ["apiVersion", "id", "name", "version", "description", "bindable"],
        "properties": {
            "apiVersion": {"enum": ["helmbroker.io/v1"]},
            "id": _UUID,
            "name": _NAME,
            "version": {"type": "string", "pattern": versions.SEMVER},  # platforms read it (OSB item 35)
            "description": _TEXT,
            "tags": {"type": "array", "items": _TEXT},
            "metadata": profile.OFFERING,
            "bindable": {"type": "boolean"},
            "binding_rotatable": {"type": "boolean"},
            "plan_updateable": {"type": "boolean"},
            "upgrade_notes": _TEXT,
            "parameters": _PARAMETERS,
        },
    }
)
_PLAN = validator(
    {
        "type": "object",
        "additionalProperties": False,
        "required": ["id", "name", "description"],
        "properties": {
            "id": _UUID,
            "name": _NAME,
            "description": _TEXT,
            "free": {"type": "boolean"},
            "metadata": profile.PLAN,
            "data": {"enum": [policy.value for policy in DataPolicy]},
            "timeout_s": {"type": "integer", "minimum": 10, "maximum": 86400},
            "binding_lifetime_s": {"type": "integer", "minimum": 10, "maximum": 10 * 365 * 86400},
            "binding_renewal_s": {"type": "integer", "minimum": 1},
            "updates_to": {"type": "array", "items": _NAME, "uniqueItems": True},
            "upgrade_notes": _TEXT,
            "parameters": _PARAMETERS,
            "pod_security": {"enum": [level.value for level in PodSecurity]},
            "values": {"type": "object"},
        },
    }
)


def load(folder: Path) -> Addon:
    """Read an addon folder. Raises AddonFaults with everything that is wrong with it; OSError."""
    reading = Reading(folder, FILE)
    document = reading.yaml(FILE, _ADDON)
    data: Any = document.data if document is not None and isinstance(document.data, dict) else {}
    plans = _plans(reading, data)
    if document is not None:
        reading.add(_schemas(document, data.get("parameters")))
    reading.add(_charts(folder, bindable=data.get("bindable") is True))
    reading.add(credentials.written_faults(folder, TEMPLATE))
    warnings = reading.end()
    return Addon(
        id=data["id"],
        name=data["name"],
        version=data["version"],
        description=data["description"],
        tags=tuple(data.get("tags", ())),
        metadata=data.get("metadata", {}),
        bindable=data["bindable"],
        plan_updateable=data.get("plan_updateable", False),
        plans=plans,
        folder=folder,
        digest=archive.digest(folder),
        binding_rotatable=data.get("binding_rotatable", False),
        upgrade_notes=data.get("upgrade_notes"),
        warnings=warnings,
    )


def _plans(reading: Reading, addon: Any) -> tuple[Plan, ...]:
    """Of an addon that may be faulty: then they are not used, but their faults are told."""
    files = sorted(PurePath(name) for name in reading.names)
    names = [str(file) for file in files if str(file.parent) == "plans" and file.suffix in (".yaml", ".yml")]
    if not any(name.endswith(".yaml") for name in names):
        reading.fault("plans/", "has no plan: add plans/NAME.yaml")
    plans: list[Plan] = []
    documents: list[Document] = []
    for name in names:
        if name.endswith(".yml"):
            reading.fault(name, f"is not read; name it {PurePath(name).stem}.yaml")
            continue
        before = len(reading.found)
        document = reading.yaml(name, _PLAN)
        if document is not None:
            documents.append(document)
        if document is None or len(reading.found) > before:
            continue
        plan = _plan(document, addon)
        data: Any = document.data
        reading.add(_schemas(document, data.get("parameters")))
        reading.add(_lifetime_faults(document))
        for other in plans:
            reading.add(
                document.fault((key,), f"is that of plan {other.name} too; make it unique")
                for key in ("id", "name")
                if getattr(plan, key) == getattr(other, key)
            )
        plans.append(plan)
    reading.add(_transitions(documents))
    return tuple(plans)


def _transitions(documents: list[Document]) -> list[Fault]:
    """Names in `updates_to` that no plan has, or that lead nowhere."""
    given: list[tuple[Document, Any]] = [
        (each, each.data if isinstance(each.data, dict) else {}) for each in documents
    ]
    names = {data.get("name") for _, data in given if isinstance(data.get("name"), str)}
    found = []
    for document, data in given:
        listed = data.get("updates_to")
        for index, name in enumerate(listed if isinstance(listed, list) else ()):
            where = ("updates_to", index)
            if name == data.get("name"):
                found.append(document.fault(where, "is this plan itself; leave it out"))
            elif name not in names:
                others = ", ".join(sorted(str(other) for other in names - {data.get("name")})) or "none"
                found.append(document.fault(where, f"there is no plan {name}; others are: {others}"))
    return found


def _plan(document: Document, addon: Any) -> Plan:
    data: Any = document.data
    given: Any = addon.get("parameters")
    shared = given if isinstance(given, dict) else {}
    own = data.get("parameters", {})
    return Plan(
        id=data["id"],
        name=data["name"],
        description=data["description"],
        free=data.get("free", True),
        metadata=data.get("metadata", {}),
        data=DataPolicy(data.get("data", DataPolicy.DELETE)),
        timeout_s=data.get("timeout_s", 600),
        values=data.get("values", {}),
        parameters=ParameterSchemas(**{kind: own.get(kind, shared.get(kind)) for kind in _KINDS}),
        bindable=addon.get("bindable") is True,
        binding_lifetime=_lifetime(data),
        updates_to=tuple(data["updates_to"]) if "updates_to" in data else None,
        upgrade_notes=data.get("upgrade_notes"),
        pod_security=PodSecurity(data.get("pod_security", PodSecurity.RESTRICTED)),
    )


def _lifetime(data: Any) -> Lifetime | None:
    """The last third is for renewal, unless the plan says otherwise."""
    seconds = data.get("binding_lifetime_s")
    return None if seconds is None else Lifetime(seconds, data.get("binding_renewal_s", seconds // 3))


def _lifetime_faults(document: Document) -> list[Fault]:
    data: Any = document.data
    if "binding_renewal_s" in data and data["binding_renewal_s"] >= data.get("binding_lifetime_s", 0):
        return [document.fault(("binding_renewal_s",), "must be less than binding_lifetime_s")]
    return []


def _schemas(document: Document, given: Any) -> list[Fault]:
    found = []
    for name, schema in given.items() if isinstance(given, dict) else ():
        if isinstance(schema, dict):
            found += schema_rules.faults(document, ("parameters", name), schema)
    return found


def _charts(folder: Path, *, bindable: bool) -> list[Fault]:
    needed = ["chart/Chart.yaml", *(["binding/Chart.yaml", TEMPLATE] if bindable else [])]
    return [Fault(name, 0, "is missing") for name in needed if not (folder / name).is_file()]
