"""`allow_parameters` of Drycc -> a JSON Schema that says the same: what is not named is denied."""

from __future__ import annotations

from typing import Any

from helmbroker.catalog.documents import Document
from helmbroker.catalog.dotted import RAW, parts
from helmbroker.catalog.formats.reading import Reading
from helmbroker.catalog.model import Object
from helmbroker.catalog.schema_rules import DRAFT_04

OPEN: Object = {"$schema": DRAFT_04, "type": "object", "additionalProperties": True}
ENTRY: dict[str, Any] = {
    "type": "object",
    "required": ["name"],
    "properties": {
        "name": {"type": "string", "pattern": r"\S"},
        "required": {"type": "boolean"},
        "description": {"type": ["string", "null"]},
    },
}


def schema(reading: Reading, document: Document, entries: list[dict[str, Any]], *, create: bool) -> Object | None:
    """`create`: with those that are required. None: nothing is allowed.

    A name allows the value and everything below it. Nothing says which values are secrets, so all are (writeOnly).
    """
    names: list[str] = []
    root = _inner()
    for index, entry in enumerate(entries):
        where = ("allow_parameters", index)
        name = entry["name"].strip()
        if create:
            _warn(reading, document, index, entry, name, names)
        path = parts(name)
        if "" in path or path[0] == RAW:
            reading.add(
                [document.fault((*where, "name"), "is no path of a value; write its keys with dots between them")]
            )
            continue
        names.append(name)
        _allow(root, path, entry.get("description"), required=create and entry.get("required", False))
    return {"$schema": DRAFT_04, **_plain(root)} if names else None


def _warn(
    reading: Reading, document: Document, index: int, entry: dict[str, Any], name: str, before: list[str]
) -> None:
    where = ("allow_parameters", index)
    reading.unknown(document, where, entry, ENTRY["properties"])
    if name != entry["name"]:
        reading.warn(document, f"blanks around {name} are left out", (*where, "name"))
    if name in before:
        reading.warn(document, f"{name} is listed twice", (*where, "name"))


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


def _plain(node: dict[str, Any]) -> dict[str, Any]:
    """Without what says nothing: a value with nothing below it that has a rule may be of any type."""
    properties = {key: _plain(below) for key, below in node["properties"].items()}
    said = {"description": node["description"]} if "description" in node else {}
    if node["additionalProperties"] and not properties:
        return {**said, "writeOnly": True}
    if node["additionalProperties"]:
        said["additionalProperties"] = {"writeOnly": True}
    else:
        said["additionalProperties"] = False
    required = {"required": node["required"]} if node["required"] else {}  # draft-04 knows no empty one
    return {"type": "object", **said, "properties": properties, **required}
