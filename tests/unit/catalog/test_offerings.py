"""The catalog document: what platforms read, and what the strictest of them demand."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from helmbroker.catalog import offerings
from helmbroker.catalog.load import load
from helmbroker.catalog.model import Catalog
from tests.unit.catalog.folders import ADDON_ID, FILES, LARGE_ID, SMALL_ID, write

REAL = Path(__file__).parents[3] / "addons"


def document(folder: Path) -> dict[str, Any]:
    return offerings.document(load([folder]))


def schemas() -> dict[str, Any]:
    """The schemas of the test addon, as its file has them."""
    import yaml

    given = yaml.safe_load(FILES["addon.yaml"])["parameters"]
    given["bind"]["$schema"] = given["create"]["$schema"]  # draft-04, whatever it was written in
    return {
        "service_instance": {name: {"parameters": given[name]} for name in ("create", "update")},
        "service_binding": {"create": {"parameters": given["bind"]}},
    }


@pytest.mark.osb(36)
def test_schemas_are_published_in_draft_04(tmp_path: Path) -> None:
    """Cloud Controller knows no other `$schema`; `const` is what an enumeration of one says there."""
    change = FILES["addon.yaml"].replace("access: {enum: [read, write]}", "access: {const: read}")
    write(tmp_path / "demo", {"addon.yaml": change})
    (service,) = document(tmp_path)["services"]
    bind = service["plans"][0]["schemas"]["service_binding"]["create"]["parameters"]
    assert bind["$schema"] == "http://json-schema.org/draft-04/schema#"
    assert bind["properties"]["access"] == {"enum": ["read"]}
    (addon,) = load([tmp_path]).addons
    kept: Any = addon.plans[0].parameters.bind
    assert kept["properties"]["access"] == {"const": "read"}, "what is checked stays as it was written"


@pytest.mark.osb(23, 24, 25, 37, 39)
@pytest.mark.bug(72)
def test_golden(tmp_path: Path) -> None:
    """Nothing but what the specification knows."""
    write(tmp_path / "demo")
    both: dict[str, Any] = {"bindable": True, "plan_updateable": True, "schemas": schemas()}
    both["binding_rotatable"] = False
    both["maintenance_info"] = {"version": "1.2.3"}
    large = {"id": LARGE_ID, "name": "large", "description": "Much of everything.", "free": False, **both}
    small = {"id": SMALL_ID, "name": "small", "description": "Little of everything.", "free": True, **both}
    large |= {"maximum_polling_duration": 960}
    small |= {"maximum_polling_duration": 660, "metadata": {"bullets": ["1 GiB"]}}
    assert document(tmp_path) == {
        "services": [
            {
                "id": ADDON_ID,
                "name": "demo",
                "description": "A server for demonstrations.",
                "tags": ["demo"],
                "metadata": {"displayName": "Demo"},
                "bindable": True,
                "plan_updateable": True,
                "instances_retrievable": True,
                "bindings_retrievable": True,
                "allow_context_updates": True,
                "plans": [large, small],
            }
        ]
    }


@pytest.mark.osb(37)
def test_an_addon_that_cannot_be_bound_and_takes_no_parameters_promises_neither(tmp_path: Path) -> None:
    text = FILES["addon.yaml"].partition("parameters:")[0].replace("bindable: true", "bindable: false")
    write(tmp_path / "demo", {"addon.yaml": text})
    (service,) = document(tmp_path)["services"]
    assert service["bindable"] is False
    assert [(plan["bindable"], "schemas" in plan) for plan in service["plans"]] == [(False, False)] * 2


@pytest.mark.osb(23)
@pytest.mark.osb(35)
def test_what_an_upgrade_means_is_told(tmp_path: Path) -> None:
    """A plan's own words win."""
    change = {
        "addon.yaml": FILES["addon.yaml"] + "upgrade_notes: Restarts the server.\n",
        "plans/large.yaml": FILES["plans/large.yaml"] + "upgrade_notes: Takes minutes.\n",
    }
    write(tmp_path / "demo", {**change})
    plans = document(tmp_path)["services"][0]["plans"]
    assert {plan["name"]: plan["maintenance_info"] for plan in plans} == {
        "large": {"version": "1.2.3", "description": "Takes minutes."},
        "small": {"version": "1.2.3", "description": "Restarts the server."},
    }


def test_an_empty_catalog_is_a_catalog() -> None:
    assert offerings.document(Catalog()) == {"services": []}


@pytest.mark.osb(39)
@pytest.mark.parametrize("key", ["self", "displayName", "a b", "costs", "__class__"])
def test_metadata_may_have_any_key(tmp_path: Path, key: str) -> None:
    write(tmp_path / "demo", {"addon.yaml": FILES["addon.yaml"].replace("displayName", f'"{key}"')})
    assert document(tmp_path)["services"][0]["metadata"] == {key: "Demo"}


@pytest.fixture(scope="module")
def real() -> list[dict[str, Any]]:
    """The service offerings of this repository, as they go over the wire."""
    services: list[dict[str, Any]] = json.loads(json.dumps(document(REAL)))["services"]
    return services


@pytest.mark.osb(24, 25, 26)
def test_ids_and_names_are_unique_and_fit_for_a_command_line(real: list[dict[str, Any]]) -> None:
    ids = [part["id"] for service in real for part in (service, *service["plans"])]
    assert len(set(ids)) == len(ids)
    names = [service["name"] for service in real]
    assert len(set(names)) == len(names)
    for service in real:
        plans = [plan["name"] for plan in service["plans"]]
        assert plans
        assert len(set(plans)) == len(plans)
        assert all(re.fullmatch("[a-z0-9-]+", name) for name in [service["name"], *plans])


@pytest.mark.osb(24, 25, 26)
def test_every_text_is_there_and_short_enough(real: list[dict[str, Any]]) -> None:
    parts = [part for service in real for part in (service, *service["plans"])]
    assert all(0 < len(part[key]) <= 255 for part in parts for key in ("id", "name", "description"))


@pytest.mark.osb(32)
def test_every_boolean_is_written_out(real: list[dict[str, Any]]) -> None:
    """Korifi reads a missing one as false."""
    plans = [plan for service in real for plan in service["plans"]]
    assert all(isinstance(plan[key], bool) for plan in plans for key in ("free", "bindable", "plan_updateable"))


@pytest.mark.osb(30)
def test_bindings_are_made_in_the_background_so_they_can_be_fetched(real: list[dict[str, Any]]) -> None:
    assert all(service["instances_retrievable"] and service["bindings_retrievable"] for service in real)


@pytest.mark.osb(36)
def test_cloud_controller_takes_the_schemas(real: list[dict[str, Any]]) -> None:
    """Draft-04's metaschema, an object at the top, no reference elsewhere, at most 65 536 bytes."""
    slots = [
        slot["parameters"]
        for service in real
        for plan in service["plans"]
        for kind in plan["schemas"].values()
        for slot in kind.values()
    ]
    assert len(slots) == 30
    for schema in slots:
        jsonschema.Draft4Validator.check_schema(schema)
        assert schema["type"] == "object"
        assert schema["$schema"] == "http://json-schema.org/draft-04/schema#"
        assert '"$ref"' not in json.dumps(schema)
        assert len(json.dumps(schema).encode()) <= 65536


@pytest.mark.osb(34)
def test_the_platform_gives_up_later_than_the_broker(tmp_path: Path) -> None:
    """So that the broker's reason is seen."""
    write(tmp_path / "demo")
    (addon,) = load([tmp_path]).addons
    polled = {plan["id"]: plan["maximum_polling_duration"] for plan in document(tmp_path)["services"][0]["plans"]}
    assert all(polled[plan.id] > plan.timeout_s for plan in addon.plans)


@pytest.mark.osb(29)
def test_nothing_is_required_of_platforms_that_helm_charts_do_not_need(real: list[dict[str, Any]]) -> None:
    assert not any(service.keys() & {"requires", "dashboard_client"} for service in real)
