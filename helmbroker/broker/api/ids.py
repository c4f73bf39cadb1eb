"""Ids that platforms choose: any characters (OSB item 19) that a database can hold and a log can show."""

from __future__ import annotations

import unicodedata

MAX_CHARACTERS = 255
RULE = f"must have 1 to {MAX_CHARACTERS} characters, none of them a control character"
_REFUSED = frozenset({"Cc", "Cs"})  # control characters, and surrogates, which are no text at all


def is_id(text: str) -> bool:
    """Whether a platform may use this as an id."""
    return 0 < len(text) <= MAX_CHARACTERS and not any(unicodedata.category(each) in _REFUSED for each in text)
