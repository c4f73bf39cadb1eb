"""What a schema of user parameters must be like, so that every platform takes it and it denies by default."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import jsonschema
from jsonschema.validators import validator_for

from helmbroker.catalog.documents import Document, Where
from helmbroker.catalog.model import JSON, Fault, Object

DRAFT_04 = "http://json-schema.org/draft-04/schema#"
DRAFTS = (
    DRAFT_04,
    "http://json-schema.org/draft-06/schema#",
    "http://json-schema.org/draft-07/schema#",
    "https://json-schema.org/draft/2019-09/schema",
    "https://json-schema.org/draft/2020-12/schema",
)
MAX_BYTES = 64 << 10  # OSB item 36
MAX_APPLIED = 1000  # schemas to one value
_MAPS_OF_SCHEMAS = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas", "dependencies")
_LISTS_OF_SCHEMAS = ("prefixItems", "allOf", "anyOf", "oneOf", "items")
_ONE_SCHEMA = (
    *("additionalProperties", "unevaluatedProperties", "items", "additionalItems", "unevaluatedItems"),
    *("contains", "not", "if", "then", "else", "propertyNames"),
)
_CONDITIONS = frozenset(
    {"not", "if", "then", "else", "dependentSchemas", "dependencies", "contains", "propertyNames"}
)
_BRANCHES = frozenset({"allOf", "anyOf", "oneOf", "$defs", "definitions"})
_IN_PLACE = ("not", "if", "then", "else")
_REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")


def faults(document: Document, where: Where, schema: Any) -> list[Fault]:
    """What is wrong with a schema of user parameters: `unfit`, and what it leaves open."""
    return unfit(document, where, schema) or [document.fault((*where, *at), why) for at, why in openings(schema)]


def unfit(document: Document, where: Where, schema: Any) -> list[Fault]:
    """Why platforms, or we, cannot read a schema: OSB item 36, Cloud Controller's demands."""
    if schema.get("$schema") not in DRAFTS:
        return [document.fault(where, f"needs a $schema, one of {', '.join(DRAFTS)}")]
    try:
        draft: Any = validator_for(schema)
        draft.check_schema(schema, format_checker=draft.FORMAT_CHECKER)
    except jsonschema.SchemaError as error:
        return [document.fault((*where, *error.absolute_path), f"is no JSON Schema: {error.message}")]
    except RecursionError:
        return [document.fault(where, "has a pattern that is nested too deep")]
    found = _breaches_of_draft_04(document, where, schema)
    if schema.get("type") != "object":
        found.append(document.fault(where, "needs `type: object` at the top"))
    if len(json.dumps(schema).encode()) > MAX_BYTES:
        found.append(document.fault(where, f"is larger than {MAX_BYTES} bytes of JSON; shorten it"))
    dangling = [
        document.fault((*where, *at), f"{key} must be # or #/..., and point to a part of this schema")
        for at, node, _ in nodes(schema)
        for key in _REFERENCES
        if key in node and (key != "$ref" or target(schema, node[key]) is None)
    ]
    if dangling:
        return found + dangling
    try:
        heavy = _weight(schema, schema, set(), {}) > MAX_APPLIED
    except RecursionError:
        return [*found, document.fault(where, "refers to itself without end; let a reference lead to a property")]
    if heavy:
        why = f"applies more than {MAX_APPLIED} schemas to one value; say it with fewer branches and references"
        found.append(document.fault(where, why))
    return found


def openings(schema: Object) -> list[tuple[Where, str]]:
    """Where a schema lets values through that its author did not name, and why."""
    opened = ((at, _open(schema, node)) for at, node, judged in nodes(schema) if judged)
    return [(at, why) for at, why in opened if why is not None]


def _breaches_of_draft_04(document: Document, where: Where, schema: Object) -> list[Fault]:
    """Platforms have to know draft-04, and Cloud Controller takes every schema for one (OSB item 36)."""
    try:
        jsonschema.Draft4Validator.check_schema(schema)
    except jsonschema.SchemaError as error:
        why = f"cannot be read as draft-04, as some platforms do: {error.message}; say it with keywords of draft-04"
        return [document.fault((*where, *error.absolute_path), why)]
    return []


def nodes(
    schema: Any, where: Where = (), *, judged: bool = True, condition: bool = False
) -> Iterator[tuple[Where, dict[str, Any], bool]]:
    """Every schema inside a schema, with its path, and whether it alone decides about a value that a user sets.

    Branches (allOf ...) and definitions are judged where they are used; what is inside a condition never is.
    """
    if not isinstance(schema, dict):
        return
    yield where, schema, judged
    for key in _MAPS_OF_SCHEMAS:
        for name, sub in _mapping(schema.get(key)).items():
            inside = condition or key in _CONDITIONS
            yield from nodes(sub, (*where, key, name), judged=not inside and key not in _BRANCHES, condition=inside)
    for key in _LISTS_OF_SCHEMAS:
        for index, sub in enumerate(_list(schema.get(key))):
            judge = not condition and key not in _BRANCHES
            yield from nodes(sub, (*where, key, index), judged=judge, condition=condition)
    for key in _ONE_SCHEMA:
        inside = condition or key in _CONDITIONS
        yield from nodes(schema.get(key), (*where, key), judged=not inside, condition=inside)


def _open(root: Any, node: Any, seen: tuple[str, ...] = ()) -> str | None:
    """Why a schema lets values through that its author did not name, with the cure; None: it does not."""
    if isinstance(node, bool) or node.keys() & {"enum", "const"}:
        return None
    branches = [_list(node.get(key)) for key in ("anyOf", "oneOf")]
    if "$ref" in node:
        pointer = node["$ref"]
        branches.append([] if pointer in seen else [target(root, pointer)])
        seen = (*seen, pointer)
    if any(_open(root, each, seen) is None for each in _list(node.get("allOf"))):
        return None
    if any(group and all(_open(root, each, seen) is None for each in group) for group in branches):
        return None
    kinds = node.get("type", [])
    if not kinds:
        return "needs a `type`: without one any value may be set"
    if "object" in kinds and not node.keys() & {"additionalProperties", "unevaluatedProperties"}:
        return (
            "needs `additionalProperties: false`: without it any other key may be set (if that is meant, say true)"
        )
    if "array" in kinds and not node.keys() & {"items", "prefixItems"}:
        return "needs `items`: without them the elements may be anything"
    return None


def target(root: Any, pointer: object) -> JSON | None:
    """What a local reference (`#`, `#/definitions/size`) points to; None when it is anything else."""
    if not isinstance(pointer, str) or not (pointer == "#" or pointer.startswith("#/")):
        return None
    node = root
    for part in pointer.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(node, Mapping):
            node = node.get(name)
        elif isinstance(node, list) and name.isdigit() and int(name) < len(node):
            node = node[int(name)]
        else:
            return None
    return node if isinstance(node, Mapping | bool) else None


def _weight(root: Object, node: Any, above: set[int], known: dict[int, int]) -> int:
    """How many schemas are applied to a value that this one is applied to. Raises RecursionError: without end."""
    if not isinstance(node, Mapping):
        return 1
    if id(node) in above:
        raise RecursionError
    if id(node) not in known:
        above.add(id(node))
        applied = [target(root, node["$ref"])] if "$ref" in node else []
        applied += [node.get(key) for key in _IN_PLACE]
        applied += [each for key in _BRANCHES for each in _list(node.get(key))]
        applied += [
            each for key in ("dependentSchemas", "dependencies") for each in _mapping(node.get(key)).values()
        ]
        known[id(node)] = 1 + sum(_weight(root, each, above, known) for each in applied if each is not None)
        above.remove(id(node))
    return known[id(node)]


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
