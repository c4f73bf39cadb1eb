"""Ranges of versions, as Helm writes them in Chart.yaml."""

from __future__ import annotations

import pytest

from helmbroker.catalog.sources.versions import BadRange, best, in_range, parsed

OFFERED = [
    "0.2.3",
    "0.2.9",
    "0.3.0",
    "1.0.0",
    "1.1.0",
    "1.1.1",
    "1.1.4",
    "1.2.0",
    "2.0.0-rc.1",
    "2.0.0",
    "latest",
    "2.1.3",
]


@pytest.mark.parametrize(
    ("wanted", "chosen"),
    [
        ("~1.1.1", "1.1.4"),  # as 39 charts of Drycc have it
        ("~1.1", "1.1.4"),
        ("~1", "1.2.0"),
        ("~>1.1", "1.1.4"),
        ("^1.0.0", "1.2.0"),
        ("^0.2.3", "0.2.9"),
        ("^0", "0.3.0"),
        ("1.1.1", "1.1.1"),
        ("v1.1.1", "1.1.1"),
        ("=1.1.1", "1.1.1"),
        ("1.x", "1.2.0"),
        ("1.1.x", "1.1.4"),
        ("1.1", "1.1.4"),
        ("*", "2.1.3"),
        ("", "2.1.3"),
        (">=1.1 <2", "1.2.0"),
        (">= 1.1.0, < 1.2.0", "1.1.4"),
        ("<1.1.0", "1.0.0"),
        ("<=1.1", "1.1.4"),
        (">2.0", "2.1.3"),
        (">1.2.0 !=2.1.3", "2.0.0"),
        ("1.0.0 - 1.1.4", "1.1.4"),
        ("~3 || ~0.2", "0.2.9"),
        ("~2.0.0-0", "2.0.0"),
        (">=2.0.0-rc.1 <2.0.0", "2.0.0-rc.1"),
        ("~3", None),
        (">2.1.3", None),
    ],
)
def test_the_highest_version_in_the_range_is_chosen(wanted: str, chosen: str | None) -> None:
    assert best(wanted, OFFERED) == chosen


@pytest.mark.parametrize("version", ["2.0.0-rc.1"])
@pytest.mark.parametrize("wanted", ["*", ">=1", "~2.0.0", ">1.2.0"])
def test_a_pre_release_is_only_taken_where_one_is_named(wanted: str, version: str) -> None:
    found = parsed(version)
    assert found is not None
    assert not in_range(wanted)(found)


@pytest.mark.parametrize("wanted", ["latest", "~", ">=", "1.2.3.4", "~1.1.1;rm", "1" * 300, ">=1.0.0 and <2"])
def test_what_is_no_range_is_refused(wanted: str) -> None:
    with pytest.raises(BadRange):
        in_range(wanted)


def test_the_version_is_returned_as_it_was_written() -> None:
    assert best("~1", ["v1.3", "1.2.9"]) == "v1.3"
