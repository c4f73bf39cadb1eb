"""JSON Schema: values checked, and what is wrong with them said so that a secret stays one."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

import jsonschema
from jsonschema.protocols import Validator
from jsonschema.validators import extend, validator_for
from referencing import Registry

from helmbroker.catalog.documents import Document
from helmbroker.catalog.model import Fault, Object

_DOLLAR = re.compile(r"(\\.|\[(?:\\.|[^\]\\])*\])|\$", re.DOTALL)


def validator(schema: Object) -> Validator:
    """A validator of the draft that the schema names. External references are refused (OSB item 36)."""
    cls = _strict(validator_for(schema, default=jsonschema.Draft202012Validator))
    return cls(schema, registry=Registry())  # an empty registry: nothing is fetched


@cache
def _strict(draft: type[Validator]) -> Callable[..., Validator]:
    made: Callable[..., Validator] = extend(draft, {"pattern": _pattern})  # type: ignore[no-untyped-call]
    return made


def _pattern(
    _validator: Any, pattern: str, instance: object, _schema: object
) -> Iterator[jsonschema.ValidationError]:
    # JSON Schema means ECMA's `$`: the end. Python's also stands before a last newline, which would let it through.
    if isinstance(instance, str) and not re.search(_DOLLAR.sub(lambda m: m[1] or r"\Z", pattern), instance):
        yield jsonschema.ValidationError("does not match")


def check(document: Document, rules: Validator) -> list[Fault]:
    """Every breach of the rules, each with its line."""
    errors = sorted(rules.iter_errors(document.data), key=lambda error: [str(part) for part in error.absolute_path])
    return [document.fault(tuple(error.absolute_path), explain(error)) for error in errors]


def explain(error: jsonschema.ValidationError) -> str:
    """A validation error as a sentence; never the offending value, which may be a secret."""
    wanted: Any = error.validator_value
    match error.validator:
        case "additionalProperties" if isinstance(error.instance, dict):
            allowed, unknown = keys(error.schema, error.instance)
            return f"unknown {', '.join(map(repr, unknown))}; allowed: {', '.join(allowed) or 'nothing'}"
        case "required" if isinstance(error.instance, dict):
            return f"missing: {', '.join(sorted(key for key in wanted if key not in error.instance))}"
        case "type":
            return f"must be of type {wanted if isinstance(wanted, str) else ' or '.join(wanted)}"
        case "enum":
            return f"must be one of {', '.join(str(value) for value in wanted)}"
        case "const":
            return f"must be {wanted}"
        case "pattern":
            return f"must match {wanted}"
        case "minimum" | "exclusiveMinimum" | "minLength" | "minItems" | "minProperties":
            return f"is too small: {error.validator} is {wanted}"
        case "maximum" | "exclusiveMaximum" | "maxLength" | "maxItems" | "maxProperties":
            return f"is too large: {error.validator} is {wanted}"
    return f"breaks the schema's rule {error.validator!r}"


def keys(schema: Any, instance: Mapping[str, object]) -> tuple[list[str], list[str]]:
    """The keys that a schema of an object names, and those of the instance that it does not."""
    named = sorted(schema.get("properties", {})) + sorted(schema.get("patternProperties", {}))
    patterns = [re.compile(pattern) for pattern in schema.get("patternProperties", {})]
    unknown = [key for key in instance if key not in named and not any(each.search(key) for each in patterns)]
    return named, sorted(unknown)
