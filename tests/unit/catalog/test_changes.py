"""Changes of parameters: what they lead to, and which of them are allowed."""

from __future__ import annotations

from typing import Any

import pytest

from helmbroker.catalog.changes import patched, problems
from helmbroker.catalog.model import JSON, ParameterSchemas

CANARY = "c4n4ry"


def closed(**properties: Any) -> dict[str, Any]:
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "object",
        "additionalProperties": False,
        "properties": properties,
    }


TEXT, COUNT = {"type": "string"}, {"type": "integer", "minimum": 1, "maximum": 9}
TUNING = closed(level={"enum": ["low", "high"]}, labels={"type": "array", "items": TEXT})
SCHEMAS = ParameterSchemas(
    create=closed(size=TEXT, count=COUNT, name=TEXT, tuning=TUNING) | {"required": ["size", "name"]},
    update=closed(count=COUNT, name=TEXT, tuning=TUNING | {"required": ["level"]}) | {"required": ["name"]},
)
RECORDED: dict[str, JSON] = {"size": "1Gi", "name": "n", "tuning": {"level": "low", "labels": ["a"]}}


@pytest.mark.osb(66)
@pytest.mark.bug(44)
@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, RECORDED),
        ({"name": ""}, {**RECORDED, "name": ""}),
        ({"count": 0}, {**RECORDED, "count": 0}),
        ({"name": None}, {"size": "1Gi", "tuning": RECORDED["tuning"]}),
        ({"nothing": None}, RECORDED),
        ({"tuning": {"labels": ["b", "c"]}}, {**RECORDED, "tuning": {"level": "low", "labels": ["b", "c"]}}),
        ({"tuning": {"labels": None}}, {**RECORDED, "tuning": {"level": "low"}}),
        ({"tuning": {}}, RECORDED),
        ({"tuning": "off"}, {**RECORDED, "tuning": "off"}),
        ({"size": {"of": {"it": 1, "not": None}}}, {**RECORDED, "size": {"of": {"it": 1}}}),
    ],
    ids=str,
)
def test_a_change_is_merged_as_json_merge_patch_says(given: dict[str, JSON], expected: dict[str, JSON]) -> None:
    """An empty text is a value, null takes a key away, at any depth."""
    assert patched(RECORDED, given) == expected


@pytest.mark.bug(46)
@pytest.mark.parametrize(
    "given",
    [
        {},
        {"count": 3},
        {"name": "other"},
        {"tuning": {"labels": []}},
        {"tuning": {"labels": None}},
        {"tuning": {"level": None}},
        {"tuning": None},
        {**RECORDED, "count": 2},
        {"size": "1Gi"},
        {"nothing": None},
    ],
    ids=str,
)
def test_what_is_allowed(given: dict[str, JSON]) -> None:
    """What is required need not be in every change; what is fixed may be sent as it is."""
    assert problems(SCHEMAS, RECORDED, given) == []


FIXED = "cannot be changed after creation; an update may change: count, name, tuning"


@pytest.mark.osb(71)
@pytest.mark.bug(46)
@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"size": "2Gi"}, f"size: {FIXED}"),
        ({"size": None}, f"size: {FIXED}"),
        ({"size": CANARY, "x": CANARY, "name": "m"}, f"size, x: {FIXED}"),
        ({"tuning": {"x": 1}}, "tuning.x: cannot be changed after creation; an update may change: labels, level"),
        ({"count": 10}, "count: is too large: maximum is 9"),
        ({"count": "3"}, "count: must be of type integer"),
        ({"tuning": CANARY}, "tuning: must be of type object"),
        ({"tuning": {"labels": [None]}}, "tuning.labels.0: must be of type string"),
        ({"name": None}, "parameters: missing: name"),
    ],
    ids=str,
)
def test_what_is_refused_is_told_without_values(given: dict[str, JSON], expected: str) -> None:
    assert problems(SCHEMAS, RECORDED, given) == [expected]


def test_without_an_update_schema_nothing_can_be_changed() -> None:
    schemas = ParameterSchemas(create=SCHEMAS.create)
    assert problems(schemas, RECORDED, RECORDED) == []
    assert problems(schemas, RECORDED, {"name": "x"}) == [
        "name: cannot be changed; this service takes no parameters in an update"
    ]


@pytest.mark.osb(72)
def test_what_a_newer_revision_does_not_know_can_be_taken_away() -> None:
    """Otherwise nobody who has set it could upgrade."""
    recorded: dict[str, JSON] = {**RECORDED, "old": 1, "tuning": {"level": "low", "older": 2}}
    assert problems(SCHEMAS, recorded, {}) == [
        "parameters: unknown 'old'; allowed: count, name, size, tuning",
        "tuning: unknown 'older'; allowed: labels, level",
    ]
    assert problems(SCHEMAS, recorded, {"old": None, "tuning": {"older": None}}) == []
    assert problems(SCHEMAS, recorded, {"old": 2, "tuning": {"older": None}}) == [f"old: {FIXED}"]
    assert problems(ParameterSchemas(), recorded, dict.fromkeys(recorded)) == []


@pytest.mark.parametrize("value", [True, 1.5, "1", [1], {"a": 1}])
def test_a_value_of_another_type_is_another_value(value: JSON) -> None:
    """B47 for changes: true is not 1."""
    assert problems(ParameterSchemas(create=closed(a={})), {"a": 1}, {"a": value}) != []
    assert problems(ParameterSchemas(create=closed(a={})), {"a": 1}, {"a": 1.0}) == []


def test_what_is_nested_too_deep_is_refused_at_once() -> None:
    given: dict[str, JSON] = {}
    for _ in range(17):
        given = {"a": given}
    assert problems(SCHEMAS, RECORDED, given) == ["parameters are nested more than 16 deep"]
