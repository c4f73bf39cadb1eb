"""The native addon format (docs/reference/addon-format.md): folder -> Addon, or all its faults."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jsonschema.protocols import Validator

from helmbroker.catalog import archive, profile, schema_rules
from helmbroker.catalog.documents import Document, Unreadable, read
from helmbroker.catalog.model import (
    Addon,
    AddonFaults,
    DataPolicy,
    Fault,
    Lifetime,
    ParameterSchemas,
    Plan,
    PodSecurity,
)
from helmbroker.catalog.schemas import check, validator

FILE = "addon.yaml"

_UUID: dict[str, Any] = {"type": "string", "pattern": "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"}
_NAME: dict[str, Any] = {"type": "string", "pattern": "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", "maxLength": 63}
_TEXT: dict[str, Any] = {"type": "string", "minLength": 1, "maxLength": 255}
# SemVer 2.0 (OSB item 35): platforms read it as maintenance_info, and revisions are put in order by it
_NUMBER, _PRE = "(0|[1-9][0-9]*)", "(0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
_BUILD = "[+][0-9A-Za-z-]+([.][0-9A-Za-z-]+)*"
_ADDON = validator(
    {
        "type": "object",
        "additionalProperties": False,
        "required": ["apiVersion", "id", "name", "version", "description", "bindable"],
        "properties": {
            "apiVersion": {"enum": ["helmbroker.io/v1"]},
            "id": _UUID,
            "name": _NAME,
            "version": {
                "type": "string",
                "pattern": f"^{_NUMBER}([.]{_NUMBER}){{2}}(-{_PRE}([.]{_PRE})*)?({_BUILD})?$",
            },
            "description": _TEXT,
            "tags": {"type": "array", "items": _TEXT},
            "metadata": profile.OFFERING,
            "bindable": {"type": "boolean"},
            "binding_rotatable": {"type": "boolean"},
            "plan_updateable": {"type": "boolean"},
            "upgrade_notes": _TEXT,
            "parameters": {
                "type": "object",
                "additionalProperties": False,
                "properties": {name: {"type": "object"} for name in ("create", "update", "bind")},
            },
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
            "pod_security": {"enum": [level.value for level in PodSecurity]},
            "values": {"type": "object"},
        },
    }
)


def load(folder: Path) -> Addon:
    """Read an addon folder. Raises AddonFaults with everything that is wrong with it."""
    faults: list[Fault] = []
    document = _read(folder, FILE, _ADDON, faults)
    plans = _plans(folder, faults)
    data: Any = document.data if document is not None and isinstance(document.data, dict) else {}
    if document is not None:
        faults += _schemas(document, data.get("parameters"))
    faults += _charts(folder, bindable=data.get("bindable") is True)
    try:
        digest = archive.digest(folder)
    except archive.BadArchive as error:
        faults.append(Fault(FILE, 0, str(error)))
    if faults:
        raise AddonFaults(faults)
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
        binding_rotatable=data.get("binding_rotatable", False),
        upgrade_notes=data.get("upgrade_notes"),
    )


def _read(folder: Path, name: str, rules: Validator, faults: list[Fault]) -> Document | None:
    """The document, also when it breaks the rules: there may be more to find. None: it is no YAML at all."""
    try:
        document = read(folder / name, name)
    except Unreadable as error:
        faults.append(error.fault)
        return None
    faults += check(document, rules)
    return document


def _plans(folder: Path, faults: list[Fault]) -> tuple[Plan, ...]:
    paths = sorted((folder / "plans").glob("*.yaml"))
    if not paths:
        faults.append(Fault("plans/", 0, "has no plan: add plans/NAME.yaml"))
    faults += [
        Fault(f"plans/{path.name}", 0, f"is not read; name it {path.stem}.yaml")
        for path in sorted((folder / "plans").glob("*.yml"))
    ]
    plans: list[Plan] = []
    documents: list[Document] = []
    for path in paths:
        name = f"plans/{path.name}"
        before = len(faults)
        document = _read(folder, name, _PLAN, faults)
        if document is not None:
            documents.append(document)
        if document is None or len(faults) > before:
            continue
        plan = _plan(document)
        faults += _lifetime_faults(document)
        for other in plans:
            faults += [
                document.fault((key,), f"is that of plan {other.name} too; make it unique")
                for key in ("id", "name")
                if getattr(plan, key) == getattr(other, key)
            ]
        plans.append(plan)
    faults += _transitions(documents)
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
    needed = ["chart/Chart.yaml", *(["binding/Chart.yaml", "binding/credentials.yaml"] if bindable else [])]
    return [Fault(name, 0, "is missing") for name in needed if not (folder / name).is_file()]
