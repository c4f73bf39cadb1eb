"""Versions as people write them -> SemVer 2.0, which OSB wants in maintenance_info (item 35)."""

from __future__ import annotations

import re

_LOOSE = re.compile(r"v?([0-9]{1,15})(?:\.([0-9]{1,15}))?(?:\.([0-9]{1,15}))?(.*)", re.DOTALL)
_NUMBER, _PRE = "(0|[1-9][0-9]*)", "(0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
_TAIL = f"(-{_PRE}([.]{_PRE})*)?([+][0-9A-Za-z-]+([.][0-9A-Za-z-]+)*)?"
SEMVER = f"^{_NUMBER}([.]{_NUMBER}){{2}}{_TAIL}$"


def coerced(text: str) -> str | None:
    """`8`, `v8.0`, `26.04`, `1.2.3.4` as 8.0.0, 8.0.0, 26.4.0, 1.2.3+4; None when it begins with no number."""
    found = _LOOSE.fullmatch(text.strip())
    if found is None:
        return None
    *numbers, rest = found.groups()
    version = ".".join(str(int(number or 0)) for number in numbers)
    if re.fullmatch(_TAIL, rest):
        return version + rest
    build = ".".join(re.findall("[0-9A-Za-z-]+", rest))  # says which one it is, but puts nothing in order
    return f"{version}+{build}" if build else version
