"""How many workers live, in words."""

from __future__ import annotations

import pytest

from helmbroker.status.workers import SEEN_S, WorkerSeen, living


def worker(silent_s: float) -> WorkerSeen:
    return WorkerSeen("a:1:x", "a", started_at=0.0, seen_at=1000.0 - silent_s, now=1000.0)


@pytest.mark.parametrize(
    ("silent_s", "told"),
    [
        ([], "none"),
        ([1.0], "1"),
        ([SEEN_S, SEEN_S + 1, 2.0], "2"),
        ([90.0, 45.0], "none; the last one was seen 45 s ago"),
    ],
)
def test_who_has_told_lately_lives(silent_s: list[float], told: str) -> None:
    assert living([worker(each) for each in silent_s]) == told
