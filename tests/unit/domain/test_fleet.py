"""Runs over the fleet, in words and numbers."""

from __future__ import annotations

import pytest

from helmbroker.broker.domain.fleet import Member, Outcome, told
from helmbroker.broker.domain.fleet import size as share


@pytest.mark.parametrize(
    ("text", "total", "number"),
    [
        ("1", 40, 1),
        ("7", 3, 7),
        ("10%", 40, 4),
        ("10%", 41, 5),
        ("1%", 3, 1),
        ("100%", 7, 7),
        ("50%", 0, 1),
        ("0", 9, None),
        ("0%", 9, None),
        ("101%", 9, None),
        ("-1", 9, None),
        ("1.5", 9, None),
        ("", 9, None),
        ("%", 9, None),
        ("٣", 9, None),
    ],
)
def test_numbers_of_instances(text: str, total: int, number: int | None) -> None:
    assert share(text, total) == number


def test_how_a_run_stands() -> None:
    members = [
        Member("a", "update:1", Outcome.UPGRADED),
        Member("b", "update:2"),
        Member("c"),
        Member("d"),
        Member("e", None, Outcome.GONE),
    ]
    assert told(members) == "1 upgraded, 1 gone, 1 under way, 2 waiting"
    assert told([]) == "nothing to upgrade"
