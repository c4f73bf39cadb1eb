"""Names of resources and config groups."""

from __future__ import annotations

import pytest

from helmbroker.controller_bridge.naming import config_group, foreign_group, is_resource_name, name_error


@pytest.mark.parametrize("name", ["abc", "my-db", "0-1", "a" * 63, "drycc1", "kubernetes"])
def test_good_names(name: str) -> None:
    assert name_error(name) is None


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (None, "required"),
        (3, "required"),
        ("", "required"),
        ("ab", "at least 3"),
        ("a" * 64, "no more than 63"),
        ("My-db", "name can only supports"),
        ("a--b", "name can only supports"),
        ("-ab", "name can only supports"),
        ("ab-", "name can only supports"),
        ("a_b", "name can only supports"),
        ("abc\n", "name can only supports"),
        ("drycc", "reserved"),
        ("drycc-x", "reserved"),
        ("kube-system", "reserved"),
        ("default", "reserved"),
    ],
)
def test_bad_names(name: object, words: str) -> None:
    assert words in (name_error(name) or "")


def test_group() -> None:
    assert config_group("my-first-db") == "addon_my_first_db"


def test_the_group_of_a_binding_of_others_is_no_resources() -> None:
    assert foreign_group("my-db") == "addon__my_db"
    assert foreign_group("a.b") != foreign_group("a-b")
    assert config_group("-my-db") == foreign_group("my-db")
    assert not is_resource_name("-my-db")
