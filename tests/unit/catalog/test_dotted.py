"""Parameters with dots in their keys, and rawValues."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from helmbroker.catalog.dotted import Unclear, nested

CANARY = "c4n4ry"


def raw(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


TAKEN: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "dots": (
        {"auth.password": "x", "auth.user": "y", "size": 1},
        {"auth": {"password": "x", "user": "y"}, "size": 1},
    ),
    "a dot that belongs to the key": ({r"a.b\.c/d": 1}, {"a": {"b.c/d": 1}}),
    "B47 every type": (
        {"a.t": True, "a.n": 1, "a.f": 1.5, "a.l": [1, {"x.y": 2}], "a.m": {"x.y": 2}, "a.z": "007", "a.0": None},
        {"a": {"t": True, "n": 1, "f": 1.5, "l": [1, {"x.y": 2}], "m": {"x.y": 2}, "z": "007", "0": None}},
    ),
    "B48 commas and the like": ({"a.b": "x,c=1{$(touch y)}"}, {"a": {"b": "x,c=1{$(touch y)}"}}),
    "B49 an empty map": ({"a.b": {}}, {"a": {"b": {}}}),
    "objects beside dots": (
        {"a": {"b": 1, "d": {"e": 1}}, "a.c": 2, "a.d.f": 3},
        {"a": {"b": 1, "c": 2, "d": {"e": 1, "f": 3}}},
    ),
    "rawValues": ({"rawValues": raw("a: {b: yes, c: '1'}\n")}, {"a": {"b": True, "c": "1"}}),
    "dots win over rawValues": ({"rawValues": raw("a: {b: 1, c: 2}"), "a.c": 3}, {"a": {"b": 1, "c": 3}}),
    "rawValues in lines": ({"rawValues": raw("a: 1")[:4] + "\n" + raw("a: 1")[4:]}, {"a": 1}),
    "nothing": ({}, {}),
}


@pytest.mark.bug(47, 48, 49)
@pytest.mark.parametrize(("given", "expected"), TAKEN.values(), ids=TAKEN)
def test_what_is_meant(given: dict[str, Any], expected: dict[str, Any]) -> None:
    assert nested(given) == expected


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "a value and a map": ({"a": CANARY, "a.b": CANARY}, "a.b: is given twice"),
    "a map and a value": ({"a.b": CANARY, "a": CANARY}, "a.b: is given twice"),
    "twice": ({"a": {"b": CANARY}, "a.b": CANARY}, "a.b: is given twice; write each parameter in one way"),
    "an empty key": ({"a..b": CANARY}, "a..b: is no path of a value"),
    "no key": ({"": CANARY}, ": is no path of a value"),
    "many keys": ({".".join("a" * 17): CANARY}, "a.a.a"),
    "deep": ({"a": [[[[[[[[[[[[[[[[CANARY]]]]]]]]]]]]]]]]}, "parameters are nested more than 16 deep"),
    "B58 no base64": ({"rawValues": "%%%"}, "rawValues: is no base64"),
    "B58 no text": ({"rawValues": 1}, "rawValues: must be text: a YAML mapping in base64"),
    "B58 a list": ({"rawValues": raw(f"- {CANARY}")}, "rawValues: must be a YAML mapping in base64"),
    "B58 empty": ({"rawValues": ""}, "rawValues: must be a YAML mapping in base64"),
    "B58 a wrong encoding": ({"rawValues": base64.b64encode(b"\xff").decode()}, "rawValues: is not UTF-8 text"),
    "no YAML": ({"rawValues": raw(f"a: 1\nb: '{CANARY}'\nc: ]")}, "rawValues: is not valid YAML at line 3"),
    "B9 python": ({"rawValues": raw("a: !!python/name:os.system x")}, "rawValues: is not valid YAML at line 1"),
    "large": ({"rawValues": "A" * ((1 << 20) + 1)}, "rawValues: is longer than 1048576 characters"),
}


@pytest.mark.bug(9, 58, 86)
@pytest.mark.parametrize(("given", "expected"), REFUSED.values(), ids=REFUSED)
def test_what_is_not_clear_is_refused_without_its_value(given: dict[str, Any], expected: str) -> None:
    with pytest.raises(Unclear) as refusal:
        nested(given)
    (problem,) = refusal.value.problems
    assert problem.startswith(expected)
    assert CANARY not in str(refusal.value)
