"""What the gate finds, and how it reads what may have any shape."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Violation:
    """A rule that an object breaks. field: its path in the object, such as spec.type; empty: the object itself.

    rule: what is not allowed, as a sentence without its full stop. grant: what an operator would write into the
    file of grants to allow it, as `key: value`; empty: nothing allows it.
    """

    object: str  # 'Kind name'
    field: str
    rule: str
    grant: str = ""

    def __str__(self) -> str:
        where = f"{self.field}: " if self.field else ""
        return f"{self.object}: {where}{self.rule}{f' (grant: {self.grant})' if self.grant else ''}"


@dataclass(frozen=True)
class Breach:
    """A violation of an object that the caller knows."""

    field: str
    rule: str
    grant: str = ""


def mapping(value: object) -> dict[str, Any]:
    """What the API server would refuse anyway must not get by as something unread: it reads as empty there too."""
    return value if isinstance(value, dict) else {}


def mappings(value: object, field: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The maps of a list, each with its path."""
    for index, item in enumerate(value if isinstance(value, list) else ()):
        if isinstance(item, dict):
            yield f"{field}[{index}]", item


def texts(value: object) -> list[str]:
    """The items of a list as texts; a text alone counts as a list of it."""
    return [str(item) for item in value] if isinstance(value, list) else [] if value is None else [str(value)]


def dig(value: object, *path: str) -> Any:
    """What lies at the path; None when nothing does."""
    for key in path:
        value = mapping(value).get(key)
    return value
