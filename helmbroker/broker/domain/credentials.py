"""Secrets that cannot be printed by accident."""

from __future__ import annotations

from collections.abc import Mapping

from helmbroker.catalog.model import JSON, Object
from helmbroker.catalog.values import canonical


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
        return isinstance(other, Hidden) and canonical(self._values) == canonical(other._values)

    __hash__ = None  # type: ignore[assignment]  # values are compared, never looked up

    def __reduce__(self) -> str:
        raise TypeError("secrets are not pickled")


class Credentials(Hidden):
    """What a binding delivers: name -> text."""

    def __init__(self, values: Mapping[str, JSON]) -> None:
        super().__init__(values)


class Parameters(Hidden):
    """What a user asked for. May hold secrets, so it is kept like one."""
