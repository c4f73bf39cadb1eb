"""Options as clients send them, and as the broker's parameters."""

from __future__ import annotations

import base64

import pytest

from helmbroker.controller_bridge.options import OptionsError, decode, parameters
from helmbroker.durable import JSON

SCHEMA: dict[str, JSON] = {
    "type": "object",
    "properties": {
        "replicas": {"type": "integer"},
        "ratio": {"type": "number"},
        "backup": {"type": "boolean"},
        "label": {"type": ["string", "null"]},
        "maybe": {"type": ["integer", "null"]},
        "storage": {"type": "object", "properties": {"size": {"type": "string"}, "count": {"type": "integer"}}},
        "dotted.key": {"type": "integer"},
        "free": {},
    },
}


def raw(text: str) -> dict[str, JSON]:
    return {"rawValues": base64.b64encode(text.encode()).decode()}


def test_strings_get_the_types_of_the_schema() -> None:
    given: dict[str, JSON] = {
        "replicas": "3",
        "ratio": "0.5",
        "backup": "true",
        "label": "7",
        "maybe": "7",
        "storage.size": "2",
        "storage.count": "2",
        "dotted.key": "1",
        "free": "1",
        "unknown.deep": "1",
    }
    assert parameters(given, SCHEMA) == {
        "replicas": 3,
        "ratio": 0.5,
        "backup": True,
        "label": "7",
        "maybe": 7,
        "storage": {"size": "2", "count": 2},
        "dotted.key": 1,
        "free": "1",
        "unknown": {"deep": "1"},
    }


@pytest.mark.parametrize("value", ["", "x", "1e3", "0x10", " 3", "9" * 30, "True"])
def test_what_is_no_such_value_stays_for_the_broker_to_refuse(value: str) -> None:
    assert parameters({"replicas": value, "backup": value}, SCHEMA) == {"replicas": value, "backup": value}


def test_typed_values_stay() -> None:
    assert parameters({"replicas": 3, "storage": {"count": 1}}, SCHEMA) == {"replicas": 3, "storage": {"count": 1}}


def test_without_a_schema_keys_are_nested_all_the_same() -> None:
    assert parameters({"a.b": "1"}, None) == {"a": {"b": "1"}}


@pytest.mark.parametrize("given", [{"a": "1", "a.b": "2"}, {"a.b": "1", "a": "2"}])
def test_a_value_that_is_also_a_group(given: dict[str, JSON]) -> None:
    with pytest.raises(OptionsError, match="option a"):
        parameters(given, None)


def test_a_values_file_wins() -> None:
    given = {**raw("replicas: 2\nstorage: {size: 2Gi}\n"), "ignored": "x"}
    assert decode(given) == {"replicas": 2, "storage": {"size": "2Gi"}}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"rawValues": "***"}, "base64"),
        ({"rawValues": 3}, "mapping"),
        (raw(""), "mapping"),
        (raw("[1]"), "mapping"),
        (raw("a: [canary"), r"not YAML \(line"),
        (raw("1: canary"), "a key that is no text"),
        (raw("a: 2024-01-01"), "quote it"),
        (raw("a: .nan"), "quote it"),
        (raw("a: &x [1]\nb: [*x, *x]"), "aliases"),
        (raw("a: !!python/object/apply:os.system [canary]"), "not YAML"),
    ],
)
def test_bad_values_files(given: dict[str, JSON], words: str) -> None:
    with pytest.raises(OptionsError, match=words) as caught:
        decode(given)
    assert "canary" not in str(caught.value)
