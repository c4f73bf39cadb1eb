"""Parameters as users of Drycc write them: `{"auth.password": "x"}` and `rawValues`, made into nested values."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any

from helmbroker.catalog.documents import Unreadable, parse
from helmbroker.catalog.model import JSON, Object
from helmbroker.catalog.parameters import MAX_CHARACTERS, MAX_DEPTH, MAX_PROBLEMS, nested_deeper
from helmbroker.catalog.values import merge

RAW = "rawValues"
_MAX_RAW_CHARACTERS = 1 << 20
_DOT = re.compile(r"(?<!\\)\.")


class Unclear(Exception):
    """Parameters that cannot be made into values: a sentence for each, with its key and never a value."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


def parts(key: str) -> list[str]:
    r"""The keys on the way to a value; a dot that belongs to a key is written `\.`, as with `helm --set`."""
    return [part.replace("\\.", ".") for part in _DOT.split(key)]


def nested(given: Object) -> dict[str, JSON]:
    """What `given` means: keys with dots over `rawValues`, a YAML mapping in base64 (B58). Raises Unclear.

    Types stay as they are (B47). Objects may be written as objects, too, but no value in two ways.
    """
    if nested_deeper(given, MAX_DEPTH):
        raise Unclear([f"parameters are nested more than {MAX_DEPTH} deep"])
    values: dict[str, JSON] = {}
    problems: list[str] = []
    for key in sorted(given):
        if key == RAW:
            continue
        path = parts(key)
        if "" in path or len(path) > MAX_DEPTH:
            problems.append(f"{key}: is no path of a value; write its keys with dots between them")
        elif not _put(values, path, given[key]):
            problems.append(f"{key}: is given twice; write each parameter in one way")
    try:
        raw = _raw(given[RAW]) if RAW in given else {}
    except ValueError as error:
        problems.append(f"{RAW}: {error}")
    if problems:
        raise Unclear([problem[:MAX_CHARACTERS] for problem in problems[:MAX_PROBLEMS]])
    return merge(raw, values)


def _put(values: dict[str, Any], path: list[str], value: JSON) -> bool:
    """Whether there was room for it: nothing there yet, or a map on both sides."""
    *above, last = path
    for key in above:
        below = values.setdefault(key, {})
        if not isinstance(below, dict):
            return False
        values = below
    if isinstance(value, Mapping):
        below = values.setdefault(last, {})
        return isinstance(below, dict) and all(_put(below, [key], sub) for key, sub in value.items())
    if last in values:
        return False
    values[last] = value
    return True


def _raw(given: JSON) -> dict[str, JSON]:
    if not isinstance(given, str):
        raise ValueError("must be text: a YAML mapping in base64")  # noqa: TRY004  # of the caller's JSON
    if len(given) > _MAX_RAW_CHARACTERS:
        raise ValueError(f"is longer than {_MAX_RAW_CHARACTERS} characters")
    try:
        text = base64.b64decode("".join(given.split()), validate=True).decode()
        data = parse(text, RAW).data
    except binascii.Error:
        raise ValueError("is no base64") from None
    except UnicodeDecodeError:
        raise ValueError("is not UTF-8 text in base64") from None
    except Unreadable as error:
        raise ValueError(f"is not valid YAML at line {error.fault.line}") from None  # what it says quotes values
    if not isinstance(data, Mapping):
        raise ValueError("must be a YAML mapping in base64")  # noqa: TRY004
    return dict(data)
