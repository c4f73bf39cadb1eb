"""What the audit tells of parameters, and who acts."""

from __future__ import annotations

import threading

import pytest

from helmbroker.audit import Actor, acting, who
from helmbroker.broker.domain.audit import BROKER, changed_names, names
from helmbroker.broker.domain.credentials import Parameters
from helmbroker.catalog.model import JSON


def test_names_of_parameters_are_told_and_no_value() -> None:
    given = Parameters({"size": "c4n4ry", "admin": {"password": "c4n4ry", "none": {}}, "list": [{"a": "c4n4ry"}]})
    assert names(given) == ["admin.none", "admin.password", "list", "size"]


def test_very_many_and_very_long_names_are_cut() -> None:
    found = names(Parameters({f"{number:03}" + "n" * 200: 1 for number in range(200)}))
    assert (len(found), {len(name) for name in found}) == (100, {100})


@pytest.mark.parametrize(
    ("before", "after", "changed"),
    [
        ({}, {}, []),
        ({"a": 1}, {"a": 1}, []),
        ({"a": 1}, {"a": 2}, ["a"]),
        ({"a": 1}, {}, ["a"]),
        ({}, {"a": None}, ["a"]),
        ({"a": {"b": 1, "c": 1}}, {"a": {"b": 1, "c": 2}}, ["a.c"]),
        ({"a": [1]}, {"a": [2]}, ["a"]),
        ({"a": 1}, {"a": {"b": 1}}, ["a", "a.b"]),
    ],
)
def test_what_changes_is_named(before: dict[str, JSON], after: dict[str, JSON], changed: list[str]) -> None:
    assert changed_names(Parameters(before), Parameters(after)) == changed


def test_who_acts_is_known_within_and_in_this_thread() -> None:
    seen = []
    with acting(Actor("operator:root@here")):
        thread = threading.Thread(target=lambda: seen.append(who(BROKER)))
        thread.start()
        thread.join()
        assert who(BROKER) == Actor("operator:root@here")
    assert [*seen, who(BROKER)] == [BROKER, BROKER]
