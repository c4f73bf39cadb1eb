"""The native addon format (docs/reference/addon-format.md): folder -> Addon, or all its faults."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema

from helmbroker.catalog import archive
from helmbroker.catalog.documents import Document, Unreadable, check, read
from helmbroker.catalog.model import Addon, AddonFaults, DataPolicy, Fault, ParameterSchemas, Plan
from helmbroker.catalog.parameters import DRAFTS, validator

FILE = "addon.yaml"
MAX_SCHEMA_BYTES = 64 << 10  # OSB item 36

_UUID = {"type": "string", "pattern": "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"}
_NAME = {"type": "string", "pattern": "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", "maxLength": 63}
_TEXT = {"type": "string", "minLength": 1, "maxLength": 255}
_ADDON = jsonschema.Draft202012Validator(
    {
        "type": "object",
        "additionalProperties": False,
        "required": ["apiVersion", "id", "name", "version", "description", "bindable"],
        "properties": {
            "apiVersion": {"enum": ["helmbroker.io/v1"]},
            "id": _UUID,
            "name": _NAME,
            "version": {"type": "string", "pattern": r"^[0-9]+\.[0-9]+\.[0-9]+([-+][0-9A-Za-z.+-]+)?$"},
            "description": _TEXT,
            "tags": {"type": "array", "items": _TEXT},
            "metadata": {"type": "object"},
            "bindable": {"type": "boolean"},
            "plan_updateable": {"type": "boolean"},
            "parameters": {
                "type": "object",
                "additionalProperties": False,
                "properties": {name: {"type": "object"} for name in ("create", "update", "bind")},
            },
        },
    }
)
_PLAN = jsonschema.Draft202012Validator(
    {
        "type": "object",
        "additionalProperties": False,
        "required": ["id", "name", "description"],
        "properties": {
            "id": _UUID,
            "name": _NAME,
            "description": _TEXT,
            "free": {"type": "boolean"},
            "metadata": {"type": "object"},
            "data": {"enum": [policy.value for policy in DataPolicy]},
            "timeout_s": {"type": "integer", "minimum": 10, "maximum": 86400},
            "values": {"type": "object"},
        },
    }
)


def load(folder: Path) -> Addon:
    """Read an addon folder. Raises AddonFaults with everything that is wrong with it."""
    faults: list[Fault] = []
    document = _read(folder, FILE, _ADDON, faults)
    plans = _plans(folder, faults)
    if document is not None:
        faults += _schemas(document) + _charts(folder, document)
    try:
        digest = archive.digest(folder)
    except archive.BadArchive as error:
        faults.append(Fault(FILE, 0, str(error)))
    if faults or document is None:
        raise AddonFaults(faults)
    data: Any = document.data
    return Addon(
        id=data["id"],
        name=data["name"],
        version=data["version"],
        description=data["description"],
        tags=tuple(data.get("tags", ())),
        metadata=data.get("metadata", {}),
        bindable=data["bindable"],
        plan_updateable=data.get("plan_updateable", False),
        parameters=ParameterSchemas(**data.get("parameters", {})),
        plans=plans,
        folder=folder,
        digest=digest,
    )


def _read(folder: Path, name: str, rules: jsonschema.Draft202012Validator, faults: list[Fault]) -> Document | None:
    try:
        document = read(folder / name, name)
    except Unreadable as error:
        faults.append(error.fault)
        return None
    found = check(document, rules)
    faults += found
    return None if found else document


def _plans(folder: Path, faults: list[Fault]) -> tuple[Plan, ...]:
    paths = sorted((folder / "plans").glob("*.yaml"))
    if not paths:
        faults.append(Fault("plans/", 0, "has no plan: add plans/NAME.yaml"))
    plans: list[Plan] = []
    for path in paths:
        name = f"plans/{path.name}"
        document = _read(folder, name, _PLAN, faults)
        if document is None:
            continue
        plan = _plan(document)
        for other in plans:
            faults += [
                document.fault((key,), f"is that of plan {other.name} too; make it unique")
                for key in ("id", "name")
                if getattr(plan, key) == getattr(other, key)
            ]
        plans.append(plan)
    return tuple(plans)


def _plan(document: Document) -> Plan:
    data: Any = document.data
    return Plan(
        id=data["id"],
        name=data["name"],
        description=data["description"],
        free=data.get("free", True),
        metadata=data.get("metadata", {}),
        data=DataPolicy(data.get("data", DataPolicy.DELETE)),
        timeout_s=data.get("timeout_s", 600),
        values=data.get("values", {}),
    )


def _schemas(document: Document) -> list[Fault]:
    """What OSB item 36 and Cloud Controller ask of parameter schemas."""
    faults = []
    data: Any = document.data
    for name, schema in data.get("parameters", {}).items():
        where = ("parameters", name)
        if schema.get("$schema") not in DRAFTS:
            faults.append(document.fault(where, f"needs a $schema, one of {', '.join(DRAFTS)}"))
            continue
        if schema.get("type") != "object":
            faults.append(document.fault(where, "needs `type: object` at the top"))
        if any(not str(ref).startswith("#") for ref in _references(schema)):
            faults.append(document.fault(where, "refers to another document; write the schema out"))
        if len(repr(schema)) > MAX_SCHEMA_BYTES:
            faults.append(document.fault(where, f"is larger than {MAX_SCHEMA_BYTES} bytes"))
        try:
            type(validator(schema)).check_schema(schema)
        except jsonschema.SchemaError as error:
            faults.append(document.fault((*where, *error.absolute_path), f"is no JSON Schema: {error.message}"))
    return faults


def _references(schema: Any) -> list[object]:
    if isinstance(schema, Mapping):
        own = [schema["$ref"]] if "$ref" in schema else []
        return own + [ref for value in schema.values() for ref in _references(value)]
    return [ref for value in schema for ref in _references(value)] if isinstance(schema, list) else []


def _charts(folder: Path, document: Document) -> list[Fault]:
    data: Any = document.data
    needed = ["chart/Chart.yaml"]
    if data["bindable"]:
        needed += ["binding/Chart.yaml", "binding/credentials.yaml"]
    return [Fault(name, 0, "is missing") for name in needed if not (folder / name).is_file()]
