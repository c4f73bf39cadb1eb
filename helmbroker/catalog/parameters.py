"""A user's parameters against the schema of an addon: denied unless allowed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from helmbroker.catalog.model import JSON, Object
from helmbroker.catalog.schema_rules import target
from helmbroker.catalog.schemas import explain, validator

MAX_DEPTH = 16
MAX_PROBLEMS = 20
MAX_CHARACTERS = 300  # of one problem
HIDDEN = "<hidden>"


def problems(schema: Object | None, parameters: Object) -> list[str]:
    """What is wrong, each with the path of the offending value, never the value; empty = all is well.

    `schema` None means that no parameter is taken. At most 20 problems of at most 300 characters.
    """
    if nested_deeper(parameters, MAX_DEPTH):
        return [f"parameters are nested more than {MAX_DEPTH} deep"]
    if schema is None:
        found = [f"{key}: no parameters are taken here" for key in sorted(parameters)]
    else:
        found = sorted(
            f"{'.'.join(map(str, error.absolute_path)) or 'parameters'}: {explain(error)}"
            for error in validator(schema).iter_errors(parameters)
        )
    return [text if len(text) <= MAX_CHARACTERS else f"{text[:MAX_CHARACTERS]}…" for text in found[:MAX_PROBLEMS]]


def shown(schema: Object | None, parameters: Object) -> dict[str, JSON]:
    """The parameters as anybody may see them: values that are `writeOnly` anywhere in the schema are hidden.

    OSB item 63. Of alternatives (anyOf, if ...) all count, also those that the value does not fit. What no schema
    names is hidden, too: nobody said that it is no secret.
    """
    root = schema or {}
    return {key: _shown(root, list(_children(root, [root], key)), value) for key, value in parameters.items()}


def _shown(root: Object, schemas: Sequence[Object], value: JSON) -> JSON:
    every = list(_applied(root, schemas))
    if not every or any(schema.get("writeOnly") is True for schema in every):
        return HIDDEN
    if isinstance(value, Mapping):
        return {key: _shown(root, list(_children(root, every, key)), sub) for key, sub in value.items()}
    if isinstance(value, list):
        return [_shown(root, list(_elements(every)), sub) for sub in value]
    return value


def _applied(root: Object, schemas: Sequence[Any]) -> Iterator[Mapping[str, Any]]:
    """These schemas, and all that they refer to or combine."""
    waiting, seen = list(schemas), set()
    while waiting:
        schema = waiting.pop()
        if not isinstance(schema, Mapping) or id(schema) in seen:
            continue
        seen.add(id(schema))
        yield schema
        waiting += [target(root, schema.get("$ref"))]
        waiting += [schema.get(key) for key in ("if", "then", "else")]
        waiting += [branch for key in ("allOf", "anyOf", "oneOf") for branch in schema.get(key, ())]


def _children(root: Object, schemas: Sequence[Object], key: str) -> Iterator[Any]:
    for schema in _applied(root, schemas):
        matching = [sub for name, sub in schema.get("properties", {}).items() if name == key]
        matching += [sub for name, sub in schema.get("patternProperties", {}).items() if re.search(name, key)]
        yield from matching or [schema.get("additionalProperties"), schema.get("unevaluatedProperties")]


def _elements(schemas: Sequence[Mapping[str, Any]]) -> Iterator[Any]:
    for schema in schemas:
        for key in ("items", "additionalItems", "prefixItems", "unevaluatedItems", "contains"):
            found = schema.get(key)
            yield from found if isinstance(found, list) else [found]


def texts(parameters: JSON) -> Iterator[str]:
    """Every text value, at any depth: what must not turn up in a log or an error text."""
    if isinstance(parameters, str):
        yield parameters
    elif isinstance(parameters, Mapping):
        for value in parameters.values():
            yield from texts(value)
    elif isinstance(parameters, Sequence):
        for value in parameters:
            yield from texts(value)


def nested_deeper(value: Any, most: int) -> bool:
    """Whether JSON is nested more than `most` levels deep. Iterative: it may be deeper than Python's stack."""
    waiting = [(value, 1)]
    while waiting:
        node, depth = waiting.pop()
        if depth > most:
            return True
        children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
        waiting.extend((child, depth + 1) for child in children)
    return False
