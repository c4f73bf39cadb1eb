"""`allow_parameters` of Drycc -> a JSON Schema that says the same: what is not named is denied."""

from __future__ import annotations

import re
from typing import Any

from helmbroker.catalog.documents import Document
from helmbroker.catalog.dotted import RAW, parts
from helmbroker.catalog.formats.reading import Reading
from helmbroker.catalog.model import Object
from helmbroker.catalog.schema_rules import DRAFT_04

OPEN: Object = {"$schema": DRAFT_04, "type": "object", "additionalProperties": True}
_POWERFUL = re.compile(
    "extraDeploy|.*image|.*extraEnvVars|.*securityContext|initScripts|extraPlugins|preUpgradeJob|git|pip|requirements",
    re.IGNORECASE,
)
ENTRY: dict[str, Any] = {
    "type": "object",
    "required": ["name"],
    "properties": {
        "name": {"type": "string", "pattern": r"\S"},
        "required": {"type": "boolean"},
        "description": {"type": ["string", "null"]},
    },
}


def schemas(
    reading: Reading, document: Document, entries: list[dict[str, Any]]
) -> tuple[Object | None, Object | None]:
    """Of what may be set at first, and of what may be changed: the same, without what is required. None: nothing.

    A name allows the value and everything below it. Nothing says which values are secrets, so all are (writeOnly).
    """
    names: list[str] = []
    root = _inner()
    for index, entry in enumerate(entries):
        where = ("allow_parameters", index)
        reading.unknown(document, where, entry, ENTRY["properties"])
        name = entry["name"].strip()
        path = parts(name)
        if name != entry["name"]:
            reading.warn(document, f"blanks around {name} are left out", (*where, "name"))
        if name in names:
            reading.warn(document, f"{name} is listed twice", (*where, "name"))
        if "" in path or path[0] == RAW:
            why = "is no path of a value; write its keys with dots between them"
            reading.add([document.fault((*where, "name"), why)])
            continue
        if _POWERFUL.fullmatch(path[-1]):
            why = f"{name} lets users say what runs in the cluster, and the broker's policy alone stands in between"
            reading.warn(document, why, (*where, "name"))
        names.append(name)
        _allow(root, path, entry.get("description"), required=entry.get("required", False))
    if not names:
        return None, None
    return _whole(root, required=True), _whole(root, required=False)


def _inner() -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "properties": {}, "required": []}


def _allow(node: dict[str, Any], path: list[str], description: str | None, *, required: bool) -> None:
    for place, key in enumerate(path):
        if required and key not in node["required"]:
            node["required"].append(key)
        below = node["properties"].setdefault(key, _inner())
        if place == len(path) - 1:
            below["additionalProperties"] = True
            if description:
                below["description"] = description
        node = below


def _whole(root: dict[str, Any], *, required: bool) -> Object:
    return {"$schema": DRAFT_04, **_plain(root, required=required)}


def _plain(node: dict[str, Any], *, required: bool) -> dict[str, Any]:
    """Without what says nothing: a value with nothing below it that has a rule may be of any type."""
    properties = {key: _plain(below, required=required) for key, below in node["properties"].items()}
    said = {"description": node["description"]} if "description" in node else {}
    if node["additionalProperties"] and not properties:
        return {**said, "writeOnly": True}
    said["additionalProperties"] = {"writeOnly": True} if node["additionalProperties"] else False
    if required and node["required"]:  # draft-04 knows no empty one
        said["required"] = node["required"]
    return {"type": "object", **said, "properties": properties}
