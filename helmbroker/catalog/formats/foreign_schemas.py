"""JSON Schemas written for other brokers: closed where they are open, and made to hide what may be secret."""

from __future__ import annotations

import copy
from typing import Any

from helmbroker.catalog import schema_rules
from helmbroker.catalog.documents import Document, Unreadable
from helmbroker.catalog.formats.reading import Reading
from helmbroker.catalog.model import Object
from helmbroker.catalog.schema_rules import DRAFT_04, DRAFTS, nodes

_COMBINED = frozenset({"$ref", "allOf", "anyOf", "oneOf"})


def closed(reading: Reading, name: str, *, leave_open: bool = False) -> Object | None:
    """The schema in a file, closed; None when there is none, or it is no schema, which is a fault."""
    if name not in reading.names:
        return None
    try:
        given = reading.json(name)
    except Unreadable as error:
        reading.add([error.fault])
        return None
    if not isinstance(given, dict):
        reading.fault(name, "must be a JSON Schema of an object")
        return None
    schema = _of_a_draft(copy.deepcopy(given))
    document = Document(name, schema, {})
    found = schema_rules.unfit(document, (), schema)
    reading.add(found)
    if found:
        return None
    _hide(schema)
    if not leave_open:
        _close(reading, document, schema)
    return schema


def additional(reading: Reading, name: str, allowed: Object | None) -> Object | None:
    """`allowed`, and what the schema in the file says of it. Drycc never read that one, so junk is left out."""
    if allowed is None or name not in reading.names:
        return allowed
    try:
        given = reading.json(name)
    except Unreadable as error:
        reading.doubt(error.fault)
        return allowed
    properties = given.get("properties") if isinstance(given, dict) else None
    if not isinstance(properties, dict) or not properties.keys() & _mapping(allowed.get("properties")):
        return allowed  # it says nothing of anything that may be set
    schema = _of_a_draft(given)
    both: dict[str, Any] = {"$schema": schema.pop("$schema"), "type": "object"}
    both["allOf"] = [{key: allowed[key] for key in allowed if key != "$schema"}, _moved(schema, "#/allOf/1")]
    found = schema_rules.unfit(Document(name, both, {}), (), both)
    for fault in found:
        reading.doubt(fault)
    return allowed if found else both


def _of_a_draft(schema: dict[str, Any]) -> dict[str, Any]:
    """With a `$schema` that is one, and with the type that a schema of parameters has."""
    named = str(schema.get("$schema", "")).rstrip("#")
    draft = next((each for each in DRAFTS if each.rstrip("#") == named), DRAFT_04)
    return {**schema, "$schema": draft, "type": schema.get("type", "object")}


def _moved(node: Any, root: str) -> Any:
    """The same schema as a part of another one, at `root`."""
    if isinstance(node, list):
        return [_moved(each, root) for each in node]
    if not isinstance(node, dict):
        return node
    moved = {key: _moved(value, root) for key, value in node.items()}
    if isinstance(node.get("$ref"), str) and node["$ref"].startswith("#"):
        moved["$ref"] = root + node["$ref"][1:]
    return moved


def _hide(schema: dict[str, Any]) -> None:
    """These formats cannot say what is a secret: any text that is not one of an enumeration may be."""
    for _, node, _ in nodes(schema):
        if node.get("type") in ("string", None) and not node.keys() & {"enum", "properties", "items", *_COMBINED}:
            node["writeOnly"] = True


def _close(reading: Reading, document: Document, schema: dict[str, Any]) -> None:
    for at, node, judged in nodes(schema):
        is_object = node.get("type") == "object" or "properties" in node
        if judged and is_object and "additionalProperties" not in node and not node.keys() & _COMBINED:
            node["additionalProperties"] = False
            if at:
                reading.warn(document, "other keys than those it names are refused", at)
    for at, why in schema_rules.openings(schema):
        if at:
            reading.warn(document, why, at)
        else:
            reading.add([document.fault(at, why)])


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
