"""Values: how layers become one, and when two are the same."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from helmbroker.catalog.model import JSON, NOTHING, Addon, Object, Plan


def merge(*layers: Object) -> dict[str, JSON]:
    """Later layers win: maps are merged, everything else (lists too) is replaced, as Helm does.

    A null is kept: in Helm it takes the chart's own default away.
    """
    result: dict[str, JSON] = {}
    for layer in layers:
        for key, value in layer.items():
            below = result.get(key)
            if isinstance(value, Mapping):
                result[key] = merge(below if isinstance(below, Mapping) else {}, value)
            else:
                result[key] = value
    return result


def of_instance(addon: Addon, plan: Plan, given: Object, overrides: Object, fullname: str) -> dict[str, JSON]:
    """What Helm is given for an instance: the operator's overrides win over the user, what has to be over both."""
    kept = {key: value for key, value in plan.values.items() if key == addon.plan_value}
    forced = {addon.fullname_value: fullname} if addon.fullname_value else NOTHING
    return merge(plan.values, given, kept, overrides, forced)


def coalesce(defaults: Object, given: Object) -> dict[str, Any]:
    """What templates see: `given` over the chart's `defaults`, keys that `given` nulls left out."""
    return _without_nulls(merge(defaults, given))


def canonical(value: JSON) -> str:
    """JSON text, the same for the same value (OSB item 49): true is not 1, as it is in Python, but 1.0 is."""
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{json.dumps(key)}:{canonical(value[key])}" for key in sorted(value)) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(canonical, value)) + "]"
    return json.dumps(int(value) if isinstance(value, float) and value.is_integer() else value)


def _without_nulls(values: Mapping[str, JSON]) -> dict[str, Any]:
    return {
        key: _without_nulls(value) if isinstance(value, Mapping) else value
        for key, value in values.items()
        if value is not None
    }
