"""Helm values: how layers become one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from helmbroker.catalog.model import JSON, Object


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


def coalesce(defaults: Object, given: Object) -> dict[str, Any]:
    """What templates see: `given` over the chart's `defaults`, keys that `given` nulls left out."""
    return _without_nulls(merge(defaults, given))


def _without_nulls(values: Mapping[str, JSON]) -> dict[str, Any]:
    return {
        key: _without_nulls(value) if isinstance(value, Mapping) else value
        for key, value in values.items()
        if value is not None
    }
