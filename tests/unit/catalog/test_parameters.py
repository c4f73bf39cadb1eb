"""Parameters of users: denied unless allowed, told without their values, shown without secrets."""

from __future__ import annotations

from typing import Any

import pytest

from helmbroker.catalog.parameters import HIDDEN, MAX_DEPTH, problems, shown, texts
from helmbroker.catalog.schema_rules import DRAFTS

CANARY = "canary-9d1f"
SCHEMA: dict[str, Any] = {
    "$schema": "http://json-schema.org/draft-04/schema#",
    "type": "object",
    "additionalProperties": False,
    "required": ["name"],
    "properties": {
        "name": {"type": "string", "pattern": "^[a-z]+$", "minLength": 2, "maxLength": 8},
        "size": {"type": "integer", "minimum": 1, "maximum": 9},
        "mode": {"enum": ["fast", "safe"]},
        "hosts": {"type": "array", "items": {"type": "string"}, "maxItems": 2},
        "auth": {
            "type": "object",
            "additionalProperties": False,
            "properties": {"user": {"type": "string"}},
        },
        "labels": {
            "type": "object",
            "additionalProperties": False,
            "patternProperties": {"^x-": {"type": "string"}},
        },
    },
}


def deep(levels: int) -> dict[str, Any]:
    value: Any = "x"
    for _ in range(levels):
        value = {"a": value}
    return {"name": value}


DENIED: dict[str, tuple[dict[str, Any], str]] = {
    "B46 required, nothing sent": ({}, "parameters: missing: name"),
    "unknown": (
        {"name": "ab", "image": "x"},
        "parameters: unknown 'image'; allowed: auth, hosts, labels, mode, name, size",
    ),
    "B49 an empty map": ({"name": "ab", "securityContext": {}}, "parameters: unknown 'securityContext'; allowed: "),
    "an empty list": ({"name": "ab", "extra": []}, "parameters: unknown 'extra'; allowed: "),
    "a null": ({"name": "ab", "extra": None}, "parameters: unknown 'extra'; allowed: "),
    "unknown below": ({"name": "ab", "auth": {"root": {}}}, "auth: unknown 'root'; allowed: user"),
    "unknown beside a pattern": (
        {"name": "ab", "labels": {"y": "", "x-a": ""}},
        "labels: unknown 'y'; allowed: ^x-",
    ),
    "B48 a dotted key": ({"name": "ab", "auth.user": "x"}, "parameters: unknown 'auth.user'; allowed: "),
    "B47 a number as text": ({"name": "ab", "size": "3"}, "size: must be of type integer"),
    "B47 a truth as number": ({"name": "ab", "size": True}, "size: must be of type integer"),
    "too small": ({"name": "ab", "size": 0}, "size: is too small: minimum is 1"),
    "too large": ({"name": "ab", "size": 10}, "size: is too large: maximum is 9"),
    "too short": ({"name": "a"}, "name: is too small: minLength is 2"),
    "not of these": ({"name": "ab", "mode": "x"}, "mode: must be one of fast, safe"),
    "B48 a comma": ({"name": "ab,x=1"}, "name: must match ^[a-z]+$"),
    "a last newline": ({"name": "ab\n"}, "name: must match ^[a-z]+$"),
    "in a list": ({"name": "ab", "hosts": ["a", 1]}, "hosts.1: must be of type string"),
    "a long list": ({"name": "ab", "hosts": ["a", "b", "c"]}, "hosts: is too large: maxItems is 2"),
    "deep": (deep(MAX_DEPTH), f"parameters are nested more than {MAX_DEPTH} deep"),
    "deeper than Python's stack": (deep(100_000), f"parameters are nested more than {MAX_DEPTH} deep"),
}


@pytest.mark.parametrize(("given", "problem"), DENIED.values(), ids=DENIED)
def test_what_the_schema_does_not_allow_is_denied_with_its_path(given: dict[str, Any], problem: str) -> None:
    (found,) = problems(SCHEMA, given)
    assert found.startswith(problem)


def test_what_the_schema_allows_is_taken() -> None:
    given: dict[str, Any] = {
        "name": "ab",
        "size": 9,
        "mode": "safe",
        "hosts": [],
        "auth": {},
        "labels": {"x-a": ""},
    }
    assert problems(SCHEMA, given) == []


@pytest.mark.bug(33)
def test_without_a_schema_nothing_is_taken() -> None:
    assert problems(None, {}) == []
    assert problems(None, {"b": {}, "a": 1}) == [
        "a: no parameters are taken here",
        "b: no parameters are taken here",
    ]


@pytest.mark.parametrize("draft", DRAFTS)
def test_every_draft_is_applied_with_its_own_rules(draft: str) -> None:
    """`exclusiveMinimum` is a flag in draft-04, and a bound from draft-06 on."""
    bound = {"minimum": 1, "exclusiveMinimum": True} if "draft-04" in draft else {"exclusiveMinimum": 1}
    schema: dict[str, Any] = {"$schema": draft, "type": "object", "properties": {"n": {"type": "integer", **bound}}}
    assert problems(schema, {"n": 2}) == []
    assert len(problems(schema, {"n": 1})) == 1


@pytest.mark.bug(86)
@pytest.mark.parametrize(
    "given",
    [
        {"name": CANARY},
        {"name": "ab", "size": CANARY},
        {"name": "ab", "mode": CANARY},
        {"name": "ab", "hosts": [{"a": CANARY}]},
        {"name": "ab", "auth": CANARY},
        {"name": {"a": [CANARY]}},
        {"other": CANARY},
    ],
    ids=str,
)
def test_a_problem_never_tells_the_value(given: dict[str, Any]) -> None:
    found = problems(SCHEMA, given)
    assert found
    assert CANARY not in "".join(found)


def test_many_and_long_problems_stay_readable() -> None:
    found = problems(None, {f"{n:03}{'x' * 1000}": 1 for n in range(100)})
    assert len(found) == 20
    assert max(map(len, found)) == 301


SECRET = {"type": "string", "writeOnly": True}
SECRETS: dict[str, tuple[dict[str, Any], Any]] = {
    "a property": ({"properties": {"a": SECRET}}, CANARY),
    "a whole object": ({"properties": {"a": {"type": "object", "writeOnly": True}}}, {"b": CANARY}),
    "a property below": ({"properties": {"a": {"properties": {"b": SECRET}}}}, {"b": CANARY}),
    "the elements of a list": ({"properties": {"a": {"items": SECRET}}}, [CANARY]),
    "a property in a list": ({"properties": {"a": {"items": {"properties": {"b": SECRET}}}}}, [{"b": CANARY}]),
    "an element of a tuple": ({"properties": {"a": {"prefixItems": [SECRET]}}}, [CANARY]),
    "behind a reference": ({"properties": {"a": {"$ref": "#/$defs/a"}}, "$defs": {"a": SECRET}}, CANARY),
    "by pattern": ({"patternProperties": {"^a": SECRET}}, CANARY),
    "any other key": ({"additionalProperties": SECRET}, CANARY),
    "an alternative": ({"properties": {"a": {"oneOf": [{"type": "integer"}, SECRET]}}}, CANARY),
    "at the top": ({"allOf": [{"properties": {"a": SECRET}}]}, CANARY),
    "on a condition": ({"if": {"properties": {"b": {"const": 1}}}, "then": {"properties": {"a": SECRET}}}, CANARY),
    "in a schema that contains itself": (
        {"properties": {"a": {"allOf": [{"$ref": "#"}]}}, "additionalProperties": SECRET},
        {"b": CANARY},
    ),
}


@pytest.mark.osb(63)
@pytest.mark.bug(50)
@pytest.mark.parametrize(("schema", "value"), SECRETS.values(), ids=SECRETS)
def test_a_secret_is_not_shown_wherever_the_schema_marks_it(schema: dict[str, Any], value: Any) -> None:
    seen = shown(schema, {"a": value, "b": 1})
    assert list(seen) == ["a", "b"]
    assert CANARY not in str(seen)


def test_what_is_no_secret_is_shown_as_it_was_given() -> None:
    schema: dict[str, Any] = {
        "properties": {"a": SECRET, "b": {"type": "object", "properties": {"c": SECRET, "d": {"items": {}}}}}
    }
    given: dict[str, Any] = {"a": "x", "b": {"c": "y", "d": [1, None], "e": 1}, "f": {"a": "z"}}
    assert shown(schema, given) == {"a": HIDDEN, "b": {"c": HIDDEN, "d": [1, None], "e": HIDDEN}, "f": HIDDEN}
    assert shown(None, {}) == {}


def test_all_texts_are_found() -> None:
    assert sorted(texts({"a": "x", "b": ["y", {"c": "z"}, 1, None], "d": True})) == ["x", "y", "z"]
