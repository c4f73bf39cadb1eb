"""A claim about a rule that does not exist stops the run."""

from __future__ import annotations

from typing import Any

import pytest

from tests.spec import marks


@pytest.fixture
def item(request: pytest.FixtureRequest) -> pytest.Item:
    """This test itself, to be marked."""
    assert isinstance(request.node, pytest.Item)
    return request.node


@pytest.mark.parametrize(
    ("marker", "claimed", "told"),
    [
        ("osb", (), "osb takes numbers"),
        ("osb", (0,), "osb(0): must be a number from 1 to 121"),
        ("osb", (1, 122), "osb(122): must be a number from 1 to 121"),
        ("osb", ("1",), "osb('1'): must"),
        ("osb", (True,), "osb(True): must"),
        ("osb", ([1, 2],), "osb([1, 2]): must"),
        ("bug", (90,), "bug(90): must be a number from 1 to 89"),
    ],
    ids=str,
)
def test_a_claim_that_cannot_be_is_told(
    item: pytest.Item, marker: str, claimed: tuple[Any, ...], told: str
) -> None:
    item.add_marker(getattr(pytest.mark, marker)(*claimed))
    (problem,) = marks.problems(item)
    assert problem.startswith(item.nodeid)
    assert told in problem


def test_claims_are_added_up(item: pytest.Item) -> None:
    item.add_marker(pytest.mark.osb(1, 121))
    item.add_marker(pytest.mark.osb(5))
    item.add_marker(pytest.mark.bug(89))
    assert list(marks.problems(item)) == []
    assert (marks.numbers(item, "osb"), marks.numbers(item, "bug")) == ({1, 5, 121}, {89})
