"""`allow_parameters` of Drycc, and the schemas beside it: what users may set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from helmbroker.catalog import offerings, parameters
from helmbroker.catalog.load import load
from tests.unit.catalog.foreign_folders import DRYCC, DRYCC_LARGE_ID, DRYCC_SMALL_ID, STUB
from tests.unit.catalog.test_drycc import SMALL, Change, made, meta, told

ALLOWED: dict[str, tuple[dict[str, Any], list[str]]] = {
    "what is named": ({"auth": {"password": "x"}, "service": {"type": "ClusterIP"}}, []),
    "all below what is named": ({"auth": {"password": {"a": [1]}}, "primary": {"configuration": [{"a": 1}]}}, []),
    "nothing": ({}, ["parameters: missing: auth"]),
    "another one": (
        {"auth": {"password": "x"}, "image": "y"},
        ["parameters: unknown 'image'; allowed: auth, primary"],
    ),
    "B49 an empty map": (
        {"auth": {"password": ""}, "securityContext": {}},
        ["parameters: unknown 'securityContext'"],
    ),
    "one beside it": ({"auth": {"password": "x", "root": 1}}, ["auth: unknown 'root'; allowed: password"]),
    "a value where a map is wanted": ({"auth": "x"}, ["auth: must be of type object"]),
    "a null where a map is wanted": ({"auth": None}, ["auth: must be of type object"]),
}


@pytest.mark.bug(33, 46, 49)
@pytest.mark.parametrize(("given", "expected"), ALLOWED.values(), ids=ALLOWED)
def test_the_allow_list_is_a_schema(tmp_path: Path, given: dict[str, Any], expected: list[str]) -> None:
    schemas = made(tmp_path).parameters(DRYCC_SMALL_ID)
    found = parameters.problems(schemas.create, given)
    assert len(found) == len(expected)
    assert all(problem.startswith(start) for problem, start in zip(found, expected, strict=True))
    without_required = [problem for problem in expected if "missing" not in problem]
    assert len(parameters.problems(schemas.update, given)) == len(without_required)


def test_a_name_may_be_allowed_with_more_rules_below_it(tmp_path: Path) -> None:
    change = meta("- name: service.type", "- name: service\n- name: service.type\n  required: true")
    schema = made(tmp_path, change).parameters(DRYCC_SMALL_ID).create
    good = {"auth": {"password": "x"}}
    assert parameters.problems(schema, {**good, "service": {"type": "x", "more": {"of": 1}}}) == []
    assert parameters.problems(schema, {**good, "service": {"more": 1}}) == ["service: missing: type"]


def test_nothing_that_was_given_is_shown_again(tmp_path: Path) -> None:
    """An allow-list cannot say what is a secret."""
    schema = made(tmp_path).parameters(DRYCC_SMALL_ID).create
    given: dict[str, Any] = {"auth": {"password": "c4n4ry"}, "primary": {"configuration": [{"a": "c4n4ry"}]}}
    assert "c4n4ry" not in str(parameters.shown(schema, given))


@pytest.mark.bug(33)
@pytest.mark.parametrize("written", ["allow_parameters: []\n", "allow_parameters:\n", ""])
def test_an_empty_list_allows_nothing_unless_the_operator_says_so(tmp_path: Path, written: str) -> None:
    change: Change = {"meta.yaml": DRYCC["meta.yaml"].partition("allow_parameters:")[0] + written}
    for opened, expected in (((), ["image: no parameters are taken here"]), (("mysql-8.0",), [])):
        schemas = made(tmp_path, change, *opened).parameters(DRYCC_SMALL_ID)
        assert parameters.problems(schemas.create, {"image": "x"}) == expected
        assert parameters.problems(schemas.update, {"image": "x"}) == expected


@pytest.mark.bug(33)
def test_the_schema_of_a_plan_narrows_what_is_allowed(tmp_path: Path) -> None:
    narrow = """{"$schema": "http://json-schema.org/draft-04/schema",
      "definitions": {"t": {"enum": ["ClusterIP"]}},
      "properties": {"service": {"properties": {"type": {"$ref": "#/definitions/t"}}}, "other": {}}}"""
    addon = made(tmp_path, {f"{SMALL}/instance-schema.json": narrow})
    given: dict[str, Any] = {"auth": {"password": "x"}, "service": {"type": "LoadBalancer"}}
    assert parameters.problems(addon.parameters(DRYCC_SMALL_ID).create, given) == [
        "service.type: must be one of ClusterIP"
    ]
    assert parameters.problems(addon.parameters(DRYCC_LARGE_ID).create, given) == []
    assert len(parameters.problems(addon.parameters(DRYCC_SMALL_ID).create, {**given, "other": "x"})) == 2


@pytest.mark.osb(36)
def test_allow_lists_are_published_as_schemas(tmp_path: Path) -> None:
    made(tmp_path / "mysql")
    (service,) = offerings.document(load([tmp_path]))["services"]
    for plan in service["plans"]:
        slots = plan["schemas"]["service_instance"]
        assert {slot["parameters"]["$schema"] for slot in slots.values()} == {
            "http://json-schema.org/draft-04/schema#"
        }
        auth = slots["create"]["parameters"]["properties"]["auth"]
        assert auth["required"] == ["password"]
        assert auth["properties"]["password"]["description"] == "The password of root."


@pytest.mark.parametrize(
    "name",
    [
        *("extraDeploy", "image", "web.image", "primary.extraEnvVars", "initScripts", "extraPlugins"),
        *("web.podSecurityContext.containerSecurityContext", "preUpgradeJob", "git", "pip", "requirements"),
    ],
)
def test_parameters_that_say_what_runs_are_told(tmp_path: Path, name: str) -> None:
    """All that their catalogue has of this kind; what a `service.type` may be, the gate knows."""
    (warning,) = told(tmp_path, meta("service.type", name))
    assert warning.startswith(f"meta.yaml:21: allow_parameters.1.name: {name} lets users say what runs in the")


@pytest.mark.parametrize("typo", ["'service.type '", "service.type\n  equired: true"])
def test_a_typo_in_the_list_allows_what_was_meant(tmp_path: Path, typo: str) -> None:
    """A trailing blank (clickhouse-basic) matched nothing; with `equired` (fluentbit) nothing is required."""
    right = made(tmp_path / "right").plans[0].parameters
    assert made(tmp_path / "typo", meta("- name: service.type", f"- name: {typo}")).plans[0].parameters == right


JUNK = ["{", "[]", '{"properties": 1}', '{"properties": {"auth": {"type": "secret"}}}', STUB]


@pytest.mark.parametrize("junk", JUNK)
def test_a_schema_that_says_nothing_of_use_is_as_none(tmp_path: Path, junk: str) -> None:
    """Most are a copied stub, and some plans have none."""
    file = f"{SMALL}/instance-schema.json"
    without = made(tmp_path / "without", {file: None}).plans[0].parameters
    assert made(tmp_path / "junk", {file: junk}).plans[0].parameters == without
