"""How long a server wants to be left alone."""

from __future__ import annotations

import time
from email.utils import formatdate

import pytest

from helmbroker.controller_bridge.retry_after import LONGEST_S, retry_after_s

DATE = "Wed, 21 Oct 2026 07:26:00 GMT"


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("3", 3.0),
        (" 3 ", 3.0),
        ("0", 0.0),
        ("7200", 7200.0),
        ("100000", LONGEST_S),
        ("9" * 5000, LONGEST_S),
        ("Wed, 21 Oct 2026 07:28:00 GMT", 120.0),
        ("Wednesday, 21-Oct-26 07:28:00 GMT", 120.0),
        ("Wed Oct 21 07:28:00 2026", 120.0),
        ("Wed, 21 Oct 2026 07:20:00 GMT", 0.0),
        ("Thu, 21 Oct 2027 07:20:00 GMT", LONGEST_S),
        ("", None),
        ("-1", None),
        ("1.5", None),
        ("soon", None),
        ("²", None),
        ("Wed, 99 Oct 2026 99:99:99 GMT", None),
        ("Wed, 21 Oct 99999999999 07:28:00 GMT", None),
        ("Wed, 21 Oct 2026 07:28:00 +99999999", None),
    ],
)
def test_what_a_server_may_say(said: str, seconds: float | None) -> None:
    assert retry_after_s({"Retry-After": said, "Date": DATE}) == seconds


def test_nothing_is_said() -> None:
    assert retry_after_s({}) is None


@pytest.mark.parametrize("date", [None, "today"])
def test_a_date_of_a_server_that_does_not_tell_its_time(date: str | None) -> None:
    headers = {"Retry-After": formatdate(time.time() + 600, usegmt=True)} | ({"Date": date} if date else {})
    assert retry_after_s(headers) == pytest.approx(600, abs=30)
