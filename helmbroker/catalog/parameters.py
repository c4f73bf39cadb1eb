"""A user's parameters against the schema of an addon: denied unless allowed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jsonschema
from jsonschema.protocols import Validator
from jsonschema.validators import validator_for
from referencing import Registry

from helmbroker.catalog.documents import explain
from helmbroker.catalog.model import JSON, Object

MAX_DEPTH = 16
HIDDEN = "<hidden>"
DRAFTS = (
    "http://json-schema.org/draft-04/schema#",
    "http://json-schema.org/draft-06/schema#",
    "http://json-schema.org/draft-07/schema#",
    "https://json-schema.org/draft/2019-09/schema",
    "https://json-schema.org/draft/2020-12/schema",
)


def validator(schema: Object) -> Validator:
    """A validator of the draft that the schema names; external references are refused (OSB item 36)."""
    cls = validator_for(schema, default=jsonschema.Draft202012Validator)
    return cls(schema, registry=Registry())  # an empty registry: nothing is fetched


def problems(schema: Object | None, parameters: Object) -> list[str]:
    """What is wrong, each with the path of the offending value, never the value; empty = all is well.

    `schema` None means that no parameter is taken.
    """
    if _depth(parameters) > MAX_DEPTH:
        return [f"parameters are nested more than {MAX_DEPTH} deep"]
    if schema is None:
        return [f"{key}: this plan takes no parameters here" for key in sorted(parameters)]
    errors = validator(schema).iter_errors(parameters)
    return sorted(
        f"{'.'.join(map(str, error.absolute_path)) or 'parameters'}: {explain(error)}" for error in errors
    )


def shown(schema: Object | None, parameters: Object) -> dict[str, JSON]:
    """The parameters as anybody may see them: values marked `writeOnly` are hidden (OSB item 63)."""
    properties = schema.get("properties", {}) if schema else {}
    result: dict[str, JSON] = {}
    for key, value in parameters.items():
        sub = properties.get(key) if isinstance(properties, Mapping) else None
        if not isinstance(sub, Mapping):
            result[key] = value
        elif sub.get("writeOnly") is True:
            result[key] = HIDDEN
        else:
            result[key] = shown(sub, value) if isinstance(value, Mapping) else value
    return result


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


def _depth(value: Any) -> int:
    # iterative: a request may be nested deeper than Python's stack
    deepest, stack = 0, [(value, 1)]
    while stack:
        node, depth = stack.pop()
        deepest = max(deepest, depth)
        if depth > MAX_DEPTH:
            return depth
        children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
        stack.extend((child, depth + 1) for child in children)
    return deepest
