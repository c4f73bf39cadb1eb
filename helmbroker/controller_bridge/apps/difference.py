"""What two releases of an app have otherwise, in sentences without any value. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar

from helmbroker.controller_bridge.apps.ledger import Entry

T = TypeVar("T")


def changes(before: Entry | None, after: Entry) -> tuple[str, ...]:
    """What is other in `after`. before: None counts as nothing at all."""
    return tuple(_changes(before, after))


def _changes(before: Entry | None, after: Entry) -> Iterator[str]:
    images: Mapping[str, str] = {} if before is None else before.images
    for process_type, one, other in _pairs(images, after.images):
        yield f"image of process type {process_type}: {one or 'none'} -> {other or 'none'}"
    for group, old, new in _pairs({} if before is None else before.config, after.config):
        for name, one, other in _pairs(old or {}, new or {}):
            verb = "is new" if one is None else "is gone" if other is None else "has another value"
            yield f"{name} of config group {group} {verb}"
    attached: Mapping[str, Sequence[str]] = {} if before is None else before.attached
    for group, one_side, other_side in _pairs(attached, after.attached):
        if group in after.config:
            yield f"config group {group} is for {_whom(other_side)}, was for {_whom(one_side)}"


def _pairs(before: Mapping[str, T], after: Mapping[str, T]) -> Iterator[tuple[str, T | None, T | None]]:
    """What is not the same on both sides."""
    for name in sorted(before.keys() | after.keys()):
        one, other = before.get(name), after.get(name)
        if one != other:
            yield name, one, other


def _whom(process_types: Sequence[str] | None) -> str:
    return "all" if process_types is None else ", ".join(process_types) or "none"
