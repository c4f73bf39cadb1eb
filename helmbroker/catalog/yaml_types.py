"""YAML as Helm reads it: which plain scalars are booleans, nulls and numbers, and nothing but plain data.

Helm reads YAML with Go's yaml.v2 (helm 4.2 was asked): `yes`, `on` and `y` are booleans, `012`, `0x1F` and `1_000`
numbers, dates are text. A plan's values must mean here what they would mean in the chart's own values.yaml.
"""

from __future__ import annotations

import math
import re

import yaml

_PREFIX = "tag:yaml.org,2002:"
_BOOLS = {
    spelling: truth
    for truth, words in ((True, "y yes true on"), (False, "n no false off"))
    for word in words.split()
    for spelling in (word, word.capitalize(), word.upper())
}
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_INFINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_INTEGER = re.compile(r"[-+]?(0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO]?[0-7]+|0|[1-9][0-9]*)")
_OCTAL = re.compile(r"[-+]?0[0-7]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_TAGS = {bool: "bool", type(None): "null", int: "int", float: "float", str: "str"}
_LONGEST_INTEGER = 2 + 1 + 64  # sign, 0b and 64 bits


def plain(text: str) -> bool | int | float | str | None:
    """The value of a scalar without quotes. Infinite for `.inf` and `.nan`, which JSON does not know."""
    if text in _BOOLS:
        return _BOOLS[text]
    if text in _NULLS:
        return None
    if _INFINITE.fullmatch(text):
        return math.inf
    number = _number(text.replace("_", "")) if text[0] in "-+.0123456789" else None
    return text if number is None else number


def _number(digits: str) -> int | float | None:
    if _INTEGER.fullmatch(digits) and len(digits) <= _LONGEST_INTEGER:
        value = int(digits, 8 if _OCTAL.fullmatch(digits) else 0)
        if -(1 << 63) <= value < 1 << 64:
            return value
    if _FLOAT.fullmatch(digits) and math.isfinite(float(digits)):
        return float(digits)
    return None


class Loader(yaml.CSafeLoader):
    """Reads the events of a text; what its plain scalars are is as Helm types them."""

    plain = staticmethod(plain)


class TextLoader(Loader):
    """Every scalar is the text that was written; only nothing at all (`null`, `~`) is null."""

    @staticmethod
    def plain(text: str) -> str | None:
        return None if text in _NULLS else text


def tagged(text: str, tag: str) -> bool | int | float | str | None:
    """The value of a scalar that says its type. Raises ValueError when it is none of JSON's, or lies."""
    kind = tag.removeprefix(_PREFIX)
    if kind in ("!", "str"):
        return text
    if kind not in _TAGS.values():
        raise ValueError(f"tag {tag} is not allowed: addon files hold plain data only")
    value = plain(text)
    if not (_TAGS[type(value)] == kind or (kind == "float" and type(value) is int)):
        raise ValueError(f"{text!r} is no {kind} that JSON knows; write it in quotes if it is text")
    return float(value) if kind == "float" and value is not None else value
