"""How long a server wants to be left alone: the header Retry-After (RFC 9110, section 10.2.3; OSB item 95)."""

from __future__ import annotations

import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

LONGEST_S = 86400.0


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Seconds, at most a day; None: it says nothing, or nothing that can be understood.

    Of a date it is the time since the server's own `Date`: its clock need not be ours.
    """
    text = headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text), LONGEST_S)
    until, now = _moment(text), _moment(headers.get("Date", ""))
    if until is None:
        return None
    return min(max(until - (time.time() if now is None else now), 0.0), LONGEST_S)


def _moment(text: str) -> float | None:
    """Seconds since the epoch."""
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):  # what it raises depends on where the date ends
        return None
