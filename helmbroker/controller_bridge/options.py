"""Options of a resource, as clients of the REST API send them, and what they are as parameters of the broker.

Clients send strings with dotted keys (`{"storage.size": "2Gi", "replicas": "2"}`) or a whole YAML file in base64
(`{"rawValues": ...}`). Brokers take one JSON object whose types follow the plan's schema.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping

from helmbroker.durable import JSON

RAW_VALUES = "rawValues"
_INTEGER = re.compile(r"-?\d{1,18}")
_NUMBER = re.compile(r"-?\d{1,18}(\.\d{1,18})?")


class OptionsError(Exception):
    """Options that cannot be parameters; a sentence that names keys, never values."""


def decode(options: Mapping[str, JSON]) -> dict[str, JSON]:
    """The options without wrapping: `rawValues` becomes the mapping it holds, and wins over the rest."""
    if RAW_VALUES not in options:
        return dict(options)
    text = options[RAW_VALUES]
    try:
        raw = base64.b64decode(text if isinstance(text, str) else "", validate=True)
    except binascii.Error:
        raise OptionsError(f"{RAW_VALUES} has to be a YAML file in base64") from None
    return _yaml_mapping(raw)


def parameters(options: Mapping[str, JSON], schema: Mapping[str, JSON] | None) -> dict[str, JSON]:
    """The broker's parameters: dotted keys nested, strings turned into the types that `schema` names.

    What the schema does not name stays as it is: the broker says what is wrong with it. Raises OptionsError when
    one key is both a value and a group.
    """
    properties = _properties(schema)
    nested: dict[str, JSON] = {}
    for key, value in options.items():
        _put(nested, [key] if key in properties else key.split("."), value)
    return {key: _typed(value, properties.get(key)) for key, value in nested.items()}


def flat(nested: Mapping[str, JSON], prefix: str = "") -> dict[str, JSON]:
    """Nested parameters as dotted keys; null is left out."""
    plain: dict[str, JSON] = {}
    for key, value in nested.items():
        if isinstance(value, Mapping):
            plain |= flat(value, f"{prefix}{key}.")
        elif value is not None:
            plain[f"{prefix}{key}"] = value
    return plain


def _put(target: dict[str, JSON], path: list[str], value: JSON) -> None:
    for part in path[:-1]:
        inner = target.setdefault(part, {})
        if not isinstance(inner, dict):
            raise OptionsError(f"the option {part} is given as a value and as a group ({'.'.join(path)})")
        target = inner
    if path[-1] in target:
        raise OptionsError(f"the option {'.'.join(path)} is given twice")
    target[path[-1]] = value


def _typed(value: JSON, schema: JSON) -> JSON:
    if isinstance(value, Mapping):
        properties = _properties(schema if isinstance(schema, Mapping) else None)
        return {key: _typed(inner, properties.get(key)) for key, inner in value.items()}
    if not isinstance(value, str) or not isinstance(schema, Mapping):
        return value
    named = schema.get("type")
    types = [named] if isinstance(named, str) else named if isinstance(named, list) else []
    if "string" in types:
        return value
    if "integer" in types and _INTEGER.fullmatch(value):
        return int(value)
    if "number" in types and _NUMBER.fullmatch(value):
        return float(value)
    if "boolean" in types and value in ("true", "false"):
        return value == "true"
    return value


def _properties(schema: Mapping[str, JSON] | None) -> Mapping[str, JSON]:
    found = schema.get("properties") if schema else None
    return found if isinstance(found, Mapping) else {}


def _yaml_mapping(raw: bytes) -> dict[str, JSON]:
    import yaml  # noqa: PLC0415 - only options from a file need it

    try:
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(raw, Loader=yaml.CSafeLoader)):
            raise OptionsError("the values file has aliases (*name); write the values out")
        value = yaml.load(raw, Loader=yaml.CSafeLoader)
        if not isinstance(value, dict) or not value:
            raise OptionsError("the values file has to hold a YAML mapping")
        if not all(isinstance(key, str) for key in value):
            raise OptionsError("the values file has a key that is no text")
        plain: dict[str, JSON] = json.loads(json.dumps(value, allow_nan=False))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f" (line {mark.line + 1})" if mark else ""
        raise OptionsError(f"the values file is not YAML{place}") from None
    except (TypeError, ValueError):
        raise OptionsError("the values file has a value that JSON cannot hold, such as a date: quote it") from None
    return plain
