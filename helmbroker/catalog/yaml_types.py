"""YAML as Helm reads it: which plain scalars are booleans, nulls and numbers, and nothing but plain data.

Helm reads YAML with Go's yaml.v2 (helm 4.2 was asked): `yes`, `on` and `y` are booleans, `012`, `0x1F` and `1_000`
numbers, dates are text. A plan's values must mean here what they would mean in the chart's own values.yaml.
"""

from __future__ import annotations

import math
import re
from typing import Any, ClassVar

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
    """Mappings, sequences and scalars as Helm types them; every other tag is an error."""

    yaml_constructors: ClassVar[dict[str | None, Any]] = {
        tag: yaml.CSafeLoader.yaml_constructors[tag]
        for tag in (_PREFIX + "str", _PREFIX + "seq", _PREFIX + "map", None)
    }

    def resolve(self, kind: type[yaml.Node], value: Any, implicit: Any) -> Any:
        """The tag of a node that names none."""
        if kind is not yaml.ScalarNode or not implicit[0]:
            return super().resolve(kind, value, implicit)  # type: ignore[no-untyped-call]
        return _PREFIX + ("merge" if value == "<<" else _TAGS[type(plain(value))])


class TextLoader(Loader):
    """Every scalar is the text that was written; only nothing at all (`null`, `~`) is null."""

    def resolve(self, kind: type[yaml.Node], value: Any, implicit: Any) -> Any:
        tag = super().resolve(kind, value, implicit)
        return _PREFIX + "str" if kind is yaml.ScalarNode and tag != _PREFIX + "null" else tag


def _typed(_loader: Loader, node: yaml.ScalarNode) -> bool | int | float | None:
    value = plain(node.value)
    kind = node.tag.removeprefix(_PREFIX)
    fits = _TAGS[type(value)] == kind or (kind == "float" and type(value) is int)
    if not fits or isinstance(value, str) or value in (math.inf, -math.inf):
        problem = f"{node.value!r} is no {kind} that JSON knows; write it in quotes if it is text"
        raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark)
    return float(value) if kind == "float" and value is not None else value


for _kind in ("bool", "null", "int", "float"):
    Loader.add_constructor(_PREFIX + _kind, _typed)
