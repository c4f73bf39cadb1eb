"""What the markers `osb` and `bug` may say: numbers of the two lists that this project is held to."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

LAST = {"osb": 121, "bug": 89}


def numbers(item: pytest.Item, marker: str) -> set[int]:
    """The numbers that a test claims with this marker, on itself, its rows, its class or its module."""
    return {number for mark in item.iter_markers(marker) for number in mark.args}


def problems(item: pytest.Item) -> Iterator[str]:
    """What is wrong with the claims of a test, a sentence each."""
    for marker, last in LAST.items():
        for mark in item.iter_markers(marker):
            if mark.kwargs or not mark.args:
                yield f"{item.nodeid}: {marker} takes numbers and nothing else, as in {marker}(1, 2)"
            for given in mark.args:
                if type(given) is not int or not 1 <= given <= last:
                    yield f"{item.nodeid}: {marker}({given!r}): must be a number from 1 to {last}"
