"""Fields by the version of the API that first had them (OSB 1.14): a caller gets those of the version it declares.

Some clients take an answer with a field of a later version for malformed, or cannot decode it (item 105).
Fields alone are held back, never behaviour: states, status codes and error words are the same for everybody.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any, TypeAlias

OLDEST, NEWEST = 13, 17  # minors of 2.x that differ in their fields

# field -> the minor that first had it, or the fields of the object (or of each object of the list) that it holds
_Fields: TypeAlias = "Mapping[str, int | _Fields]"

_CATALOG: _Fields = {
    "services": {
        "instances_retrievable": 14,
        "bindings_retrievable": 14,
        "allow_context_updates": 15,
        "plans": {
            "maintenance_info": 15,
            "maximum_polling_duration": 15,
            "plan_updateable": 15,
            "binding_rotatable": 17,
        },
    }
}
_INSTANCE: _Fields = {"metadata": {"labels": 16, "attributes": 17}}
_FETCHED_INSTANCE: _Fields = {"metadata": 17, "maintenance_info": 17}
_BINDING: _Fields = {"endpoints": 15, "metadata": {"expires_at": 16, "renew_before": 17}}
_OUTCOME: _Fields = {"instance_usable": 16, "update_repeatable": 16}


class Shape(Enum):
    """What a body is; the value lists the fields that came later."""

    CATALOG = _CATALOG
    INSTANCE = _INSTANCE
    FETCHED_INSTANCE = _FETCHED_INSTANCE
    BINDING = _BINDING
    OUTCOME = _OUTCOME  # an error, or the state of an operation


def visible(body: dict[str, Any], shape: Shape, minor: int) -> dict[str, Any]:
    """`body` without the fields that a caller of 2.`minor` does not know; the body itself stays as it is."""
    return body if minor >= NEWEST else _visible(body, shape.value, minor)


def _visible(body: dict[str, Any], fields: _Fields, minor: int) -> dict[str, Any]:
    kept = {}
    for name, value in body.items():
        since = fields.get(name, 0)
        if isinstance(since, Mapping):
            shown = _inside(value, since, minor)
            if shown or not value:  # an object of which nothing is left goes, too
                kept[name] = shown
        elif since <= minor:
            kept[name] = value
    return kept


def _inside(value: Any, fields: _Fields, minor: int) -> Any:
    if isinstance(value, dict):
        return _visible(value, fields, minor)
    return [_inside(item, fields, minor) for item in value] if isinstance(value, list) else value
