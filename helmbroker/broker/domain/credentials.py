"""Secrets that cannot be printed by accident."""

from __future__ import annotations

import json
from collections.abc import Mapping

from helmbroker.catalog.model import JSON, Object


class Hidden:
    """A JSON object whose values show in no repr, no format and no log; `reveal()` is the only way to them."""

    __slots__ = ("_values",)

    def __init__(self, values: Object) -> None:
        self._values = dict(values)

    def reveal(self) -> dict[str, JSON]:
        """The values, for the wire or for Helm: a copy."""
        return dict(self._values)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self._values)} values)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Hidden) and _canonical(self._values) == _canonical(other._values)

    __hash__ = None  # type: ignore[assignment]  # values are compared, never looked up

    def __reduce__(self) -> str:
        raise TypeError("secrets are not pickled")


def _canonical(value: JSON) -> str:
    """JSON text, the same for the same value (OSB item 49): true is not 1, as it is in Python, but 1.0 is."""
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{json.dumps(key)}:{_canonical(value[key])}" for key in sorted(value)) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_canonical, value)) + "]"
    return json.dumps(int(value) if isinstance(value, float) and value.is_integer() else value)


class Credentials(Hidden):
    """What a binding delivers: name -> text."""

    def __init__(self, values: Mapping[str, JSON]) -> None:
        super().__init__(values)


class Parameters(Hidden):
    """What a user asked for. May hold secrets, so it is kept like one."""
