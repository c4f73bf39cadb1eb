"""What the files of every addon must be, without helm."""

from __future__ import annotations

import re
import subprocess
from typing import Any

import jsonschema
import pytest

from helmbroker.catalog.load import load
from tests.addons.page import PAGE, page
from tests.addons.tree import (
    ADDONS,
    FIRST_PLAN,
    NAMES,
    PLANS,
    document,
    instance_values,
    leaves,
    objects,
)
from tests.addons.versions import present, unraised, written

STORING = [
    name for name in NAMES if "storage" in document(name, "addon.yaml")["parameters"]["create"]["properties"]
]
REQUESTS = [(name, request) for name in NAMES for request in document(name, "addon.yaml")["parameters"]]


def test_the_catalog_takes_them_all() -> None:
    catalog = load([ADDONS])

    assert catalog.quarantined == {}
    assert [addon.name for addon in catalog.addons] == NAMES
    assert all(len(addon.plans) >= 2 for addon in catalog.addons)


@pytest.mark.osb(32, 35, 71)
def test_plans_change_only_where_the_data_fits() -> None:
    addons = load([ADDONS]).addons
    changes = {
        (a.name, plan.name): [other.name for other in a.updates_to(plan)] for a in addons for plan in a.plans
    }

    assert changes == {
        ("mariadb", "small"): ["medium"],
        ("mariadb", "medium"): ["small"],
        ("memcached", "small"): ["medium"],
        ("memcached", "medium"): ["small"],
        ("rabbitmq", "small"): ["medium"],
        ("rabbitmq", "medium"): ["small"],
        ("postgresql", "small"): ["medium"],
        ("postgresql", "medium"): ["small"],
        ("redis", "small"): ["medium"],
        ("redis", "medium"): [],
    }
    assert all(addon.upgrade_notes for addon in addons)


def test_the_catalogue_page_is_true() -> None:
    assert PAGE.read_text() == page(), "make addons-page writes it anew"


def test_what_has_changed_is_another_version() -> None:
    assert unraised(written(), present()) == []
    assert written() == present(), "python -m tests.addons.versions writes it anew"


def test_a_change_under_the_same_version_is_told() -> None:
    before = {"one": {"version": "1.0.0", "sha256": "ab"}, "two": {"version": "1.0.0", "sha256": "ab"}}
    now = {"one": {"version": "1.0.0", "sha256": "cd"}, "two": {"version": "1.0.1", "sha256": "cd"}, "three": {}}

    (told,) = unraised(before, now)

    assert told.startswith("one: files have changed, and its version is 1.0.0 as before. Raise it")


@pytest.mark.parametrize("name", NAMES)
def test_addon_and_chart_have_the_same_version(name: str) -> None:
    assert document(name, "chart/Chart.yaml")["version"] == document(name, "addon.yaml")["version"]


@pytest.mark.parametrize("name", NAMES)
def test_an_addon_has_a_readme_and_a_schema(name: str) -> None:
    assert len((ADDONS / name / "README.md").read_text()) > 1000
    for chart in ("chart", "binding"):
        jsonschema.Draft7Validator.check_schema(document(name, f"{chart}/values.schema.json"))


@pytest.mark.parametrize(("name", "plan"), PLANS)
def test_values_of_a_plan_obey_the_chart(name: str, plan: str) -> None:
    schema = jsonschema.Draft7Validator(document(name, "chart/values.schema.json"))
    values = instance_values(name, plan)

    schema.validate(values)
    assert not schema.is_valid({**values, "extraDeploy": []})


@pytest.mark.parametrize(("name", "plan"), [(name, plan) for name, plan in PLANS if name in STORING])
def test_a_plan_says_what_it_gives(name: str, plan: str) -> None:
    values = instance_values(name, plan)
    about = document(name, f"plans/{plan}.yaml")
    size = values["storage"]["size"].removesuffix("Gi")

    assert about["name"] == plan
    assert f"{size} GiB storage (up to {values['planLimits']['storageGi']} GiB)" in about["description"]
    assert f"{values['planLimits']['storageGi']}Gi on plan {plan}" in _storage(name)["description"]
    assert values["resources"]["limits"]["memory"] == values["resources"]["requests"]["memory"]


@pytest.mark.parametrize(("name", "request_"), REQUESTS)
def test_parameters_are_closed_at_every_level(name: str, request_: str) -> None:
    schema = document(name, "addon.yaml")["parameters"][request_]

    for path, part in objects(schema):
        assert part["additionalProperties"] is False, path
    for path, part in leaves(schema):
        assert "description" in part, path
        bounded = {"enum", "pattern"} & set(part) or {"minimum", "maximum"} <= set(part)
        assert part["type"] == "boolean" or bounded, path


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("request_", ["create", "update"])
def test_parameters_are_values_of_the_chart(name: str, request_: str) -> None:
    """Whatever a user may ask for, the chart's own schema takes: types, enumerations, bounds."""
    chart = jsonschema.Draft7Validator(document(name, "chart/values.schema.json"))
    found = 0
    for path, part in leaves(document(name, "addon.yaml")["parameters"][request_]):
        for value in _samples(part):
            values = instance_values(name, FIRST_PLAN[name])
            inner: Any = values
            for key in path[:-1]:
                inner = inner[key]
            assert path[-1] in inner, f"{path} is no value of the chart"
            inner[path[-1]] = value
            chart.validate(values)
            found += 1
    assert found > 0


SHARED = {
    "chart/templates": "_common.tpl claim.yaml configmap.yaml networkpolicy.yaml rotation.yaml secret.yaml "
    "service.yaml statefulset.yaml tls.yaml",
    "binding/templates": "_common.tpl drop.yaml make.yaml networkpolicy.yaml",
}


@pytest.mark.parametrize("name", NAMES)
def test_what_the_charts_have_in_common_is_the_same(name: str) -> None:
    """An addon is complete in itself, so each has a copy; what is its own is in _engine.tpl."""
    for folder, files in SHARED.items():
        for file in files.split():
            mine, first = (ADDONS / addon / folder / file for addon in (name, NAMES[0]))
            assert mine.read_text() == first.read_text(), mine


@pytest.mark.parametrize("name", STORING)
@pytest.mark.parametrize(
    "size", ["0Gi", "1", "1Mi", "-1Gi", "1Gi; rm -rf /", "$(id)", "10000Gi", "1.5Gi", "\n1Gi\n"]
)
def test_sizes_that_are_none_are_refused(name: str, size: str) -> None:
    assert not jsonschema.Draft4Validator(_storage(name)).is_valid(size)


@pytest.mark.parametrize("name", NAMES)
def test_the_binding_chart_takes_what_bind_takes(name: str) -> None:
    bind = document(name, "addon.yaml")["parameters"]["bind"]
    chart = document(name, "binding/values.schema.json")["properties"]["binding"]["properties"]["parameters"]

    assert set(chart["properties"]) == set(bind["properties"])
    for path, part in leaves(bind):
        for value in _samples(part):
            jsonschema.Draft7Validator(chart).validate({path[0]: value})


@pytest.mark.parametrize("name", NAMES)
def test_the_contract_lists_what_the_template_delivers(name: str) -> None:
    template = (ADDONS / name / "binding/credentials.yaml").read_text()
    contract = document(name, "contract.yaml")

    assert re.findall(r"^  - name: (\S+)$", template, re.MULTILINE) == contract["credentials"]
    assert {"type", "provider", "host", "port", "username", "password", "uri", "ca"} <= set(contract["credentials"])
    assert set(contract["steps"]) == {"login", "write", "read", "tls", "probe"}
    assert set(contract) - {"durable"} == {"credentials", "image", "client", "steps", "refused", "update"}
    update = document(name, "addon.yaml")["parameters"]["update"]
    jsonschema.Draft4Validator(update).validate(contract["update"])
    assert {"repository", "tag", "digest"} <= set(document(name, "chart/values.yaml")[contract["image"]])


@pytest.mark.parametrize("name", NAMES)
def test_scripts_are_plain_sh(name: str) -> None:
    scripts = sorted((ADDONS / name).glob("*/*/*.sh"))

    assert scripts
    for script in scripts:
        checked = subprocess.run(["sh", "-n", str(script)], capture_output=True, text=True, check=False)
        assert checked.returncode == 0, checked.stderr
        assert not re.search(r"\[\[|<<<|pipefail|^\s*(local|function) ", script.read_text(), re.MULTILINE), script


def _storage(name: str) -> Any:
    return document(name, "addon.yaml")["parameters"]["create"]["properties"]["storage"]["properties"]["size"]


def _samples(part: dict[str, Any]) -> list[Any]:
    if part["type"] == "boolean":
        return [True, False]
    if "pattern" in part:
        return ["1Gi", "10Gi", "9999Gi"]
    return part.get("enum") or [part["minimum"], part["maximum"]]
