"""The addons of this checkout, as their files say."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from helmbroker.catalog.values import coalesce, merge

ADDONS = Path(__file__).parents[2] / "addons"
NAMES = sorted(folder.name for folder in ADDONS.iterdir() if (folder / "addon.yaml").is_file())
PLANS = sorted((name, plan.stem) for name in NAMES for plan in (ADDONS / name / "plans").glob("*.yaml"))
FIRST_PLAN = dict(reversed(PLANS))
# A database and a cache: what a live test says of all addons is seen of these by day, of the others in the night.
DAILY = {"postgresql", "redis"}


def hours(addon: str) -> tuple[pytest.MarkDecorator, ...]:
    """The marks of a test about this addon."""
    return () if addon in DAILY else (pytest.mark.night,)


def document(addon: str, path: str) -> Any:
    """A YAML or JSON file of an addon."""
    return yaml.load((ADDONS / addon / path).read_text(), yaml.CSafeLoader)


# those whose administrator's password rotates
ROTATING = [name for name in NAMES if "admin" in document(name, "chart/values.yaml")]


def plan_values(addon: str, plan: str) -> dict[str, Any]:
    """What the plan gives to the chart."""
    values: dict[str, Any] = document(addon, f"plans/{plan}.yaml")["values"]
    return values


def instance_values(addon: str, plan: str, *more: dict[str, Any]) -> dict[str, Any]:
    """What an instance runs with: the chart's defaults, the plan, and what comes after it."""
    return coalesce(document(addon, "chart/values.yaml"), merge(plan_values(addon, plan), *more))


def binding_values(
    release: str,
    namespace: str,
    values: dict[str, Any],
    id_: str,
    parameters: dict[str, Any] | None = None,
    client: str | None = None,
) -> dict[str, Any]:
    """What the broker gives to a binding chart."""
    return {
        "instance": {"release": release, "namespace": namespace, "values": values},
        "binding": {"id": id_, "parameters": parameters or {}, "client": {"namespace": client} if client else {}},
    }


def objects(schema: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    """Every part of a JSON Schema that describes an object, with its path."""
    if schema.get("type") == "object":
        yield path, schema
    for name, part in schema.get("properties", {}).items():
        yield from objects(part, (*path, name))


def leaves(schema: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    """Every parameter that a JSON Schema allows and that is no object, with its path."""
    for name, part in schema.get("properties", {}).items():
        if part.get("type") == "object":
            yield from leaves(part, (*path, name))
        else:
            yield (*path, name), part
