"""Fields by version: what 1.14 of the checklist lists, and nothing else, is held back."""

from __future__ import annotations

from typing import Any

import pytest

from helmbroker.broker.api.gating import Shape, visible

# field of a full answer -> the minor that first had it, as the specification's tags have it
CATALOG = {
    "services.0.instances_retrievable": 14,
    "services.0.bindings_retrievable": 14,
    "services.0.allow_context_updates": 15,
    "services.0.plans.0.maintenance_info": 15,
    "services.0.plans.0.maximum_polling_duration": 15,
    "services.0.plans.0.plan_updateable": 15,
    "services.0.plans.0.binding_rotatable": 17,
}
INSTANCE = {"metadata.labels": 16, "metadata.attributes": 17}
FETCHED_INSTANCE = {"metadata": 17, "maintenance_info": 17}
BINDING = {"endpoints": 15, "metadata.expires_at": 16, "metadata.renew_before": 17}
OUTCOME = {"instance_usable": 16, "update_repeatable": 16}
SINCE = {
    Shape.CATALOG: CATALOG,
    Shape.INSTANCE: INSTANCE,
    Shape.FETCHED_INSTANCE: FETCHED_INSTANCE,
    Shape.BINDING: BINDING,
    Shape.OUTCOME: OUTCOME,
}
PLAN = {
    "id": "p",
    "bindable": True,
    "free": True,
    "schemas": {"service_instance": {"create": {"parameters": {"maintenance_info": {}, "plans": []}}}},
    "metadata": {"plan_updateable": "a key of an author's own"},
    "maintenance_info": {"version": "1.0.0"},
    "maximum_polling_duration": 660,
    "plan_updateable": True,
    "binding_rotatable": True,
}
FULL: dict[Shape, dict[str, Any]] = {
    Shape.CATALOG: {
        "services": [
            {
                "id": "s",
                "plan_updateable": True,
                "metadata": {"instances_retrievable": "a key of an author's own"},
                "instances_retrievable": True,
                "bindings_retrievable": True,
                "allow_context_updates": True,
                "plans": [PLAN],
            }
        ]
    },
    Shape.INSTANCE: {
        "operation": "o",
        "dashboard_url": None,
        "metadata": {"labels": {"a": "b"}, "attributes": {"c": "d"}},
    },
    Shape.FETCHED_INSTANCE: {
        "service_id": "s",
        "parameters": {"metadata": 1, "maintenance_info": 1},
        "metadata": {"labels": {"a": "b"}},
        "maintenance_info": {"version": "1.0.0"},
    },
    Shape.BINDING: {
        "credentials": {"endpoints": "x", "metadata": {"renew_before": 1, "expires_at": 2}},
        "parameters": {"endpoints": 1},
        "endpoints": [{"host": "h", "ports": ["1"]}],
        "metadata": {"expires_at": "t", "renew_before": "t"},
    },
    Shape.OUTCOME: {"error": "E", "description": "d", "instance_usable": False, "update_repeatable": False},
}


def paths(value: Any, at: str = "") -> set[str]:
    """Every field of a body, by its path."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return {at.removeprefix(".")} | {path for name, item in items for path in paths(item, f"{at}.{name}")}


@pytest.mark.osb(105)
@pytest.mark.parametrize("minor", range(20))
@pytest.mark.parametrize("shape", Shape)
def test_a_caller_gets_the_fields_of_its_version(shape: Shape, minor: int) -> None:
    late = {path for path, since in SINCE[shape].items() if since > minor}
    gone = {
        path for path in paths(FULL[shape]) if any(path == each or path.startswith(f"{each}.") for each in late)
    }
    if all(f"metadata.{name}" in gone for name in FULL[shape].get("metadata", {"none": None})):
        gone.add("metadata")  # an object that holds nothing is not sent
    before = repr(FULL[shape])
    assert paths(FULL[shape]) - paths(visible(FULL[shape], shape, minor)) == gone
    assert repr(FULL[shape]) == before


def test_an_empty_answer_stays_an_object() -> None:
    assert [visible({}, shape, minor) for shape in Shape for minor in (13, 17)] == [{}] * 10
    assert visible({"services": []}, Shape.CATALOG, 13) == {"services": []}


def test_what_is_no_object_is_passed_on() -> None:
    assert visible({"metadata": None}, Shape.BINDING, 13) == {"metadata": None}
