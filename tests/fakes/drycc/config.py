"""The controller's config: what a request may say, and what it makes of the config before. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

_NAME = re.compile(r"^[A-z0-9_\-.]+$")
GLOBAL = "global"

Item = dict[str, str]
"""name, value, and `group` or `ptype`."""


class Refusal(Exception):
    """An error answer: HTTP status and body."""

    def __init__(self, status: int, body: object) -> None:
        super().__init__(f"{status} {body}")
        self.status, self.body = status, body


def detail(status: int, text: str) -> Refusal:
    """A refusal as the REST framework words it."""
    return Refusal(status, {"detail": text})


@dataclass(frozen=True)
class Config:
    """One row. A release points to one; several may point to the same."""

    uuid: str
    created: str
    values: Sequence[Item] = ()
    refs: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def content(self) -> tuple[object, object]:
        """What makes two rows the same to the controller."""
        values = sorted((each["name"], *_place(each), each["value"]) for each in self.values)
        return values, {ptype: sorted(refs) for ptype, refs in self.refs.items() if refs}

    def environment(self, ptype: str) -> dict[str, str]:
        """What a process type is given: global < referenced groups < its own.

        The Secret behind it has keys in small letters with hyphens, so names that differ only there share a value.
        """
        groups = [GLOBAL, *sorted(set(self.refs.get(ptype, ())))]
        ranks = {("", group): rank for rank, group in enumerate(groups)} | {(ptype, ""): len(groups)}
        mine = (each for each in self.values if _place(each) in ranks)
        given = sorted(mine, key=lambda each: ranks[_place(each)])
        secret = {_key(each["name"]): each["value"] for each in given}
        return {each["name"]: secret[_key(each["name"])] for each in given}


def merged(base: Config, body: Any) -> tuple[list[Item], dict[str, list[str]]]:
    """Values and refs after a POST that merges. Raises Refusal."""
    values, refs = _read(body)
    after = {(each["name"], *_place(each)): each for each in base.values}
    for each in values:
        where = (each["name"], *_place(each))
        if each["value"] is None or (each["value"] == "" and where in after):
            after.pop(where, None)
        else:
            after[where] = each
    return list(after.values()), _appended(base.refs, refs)


def replaced(base: Config, body: Any) -> tuple[list[Item], dict[str, list[str]]]:
    """Values and refs after a POST with merge=false: groups and process types that it names are replaced whole."""
    values, refs = _read(body)
    named = {_place(each) for each in values}
    kept = [each for each in base.values if _place(each) not in named]
    return [*kept, *(each for each in values if each["value"] is not None)], {**_lists(base.refs), **_lists(refs)}


def detached(base: Config, body: Any, *, wipes: bool) -> dict[str, list[str]]:
    """Refs after a DELETE. `wipes`: as up to v1.13.1, process types that it does not name lose theirs."""
    given = _refs(body)
    left = {
        ptype: [ref for ref in refs if ref not in given[ptype]]
        for ptype, refs in base.refs.items()
        if ptype in given
    }
    return left if wipes else {**_lists(base.refs), **left}


def _appended(before: Mapping[str, Sequence[str]], refs: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    after = _lists(before)
    for ptype, groups in refs.items():
        if not groups and not after.get(ptype):
            raise Refusal(422, {"detail": f"{ptype} does not exist under values_refs"})
        after[ptype] = list(dict.fromkeys([*after.get(ptype, ()), *groups])) if groups else []
    return after


def _read(body: Any) -> tuple[list[Any], Mapping[str, Sequence[str]]]:
    if not isinstance(body, dict):
        raise detail(400, "Invalid data. Expected a dictionary.")
    values = body.get("values") or []
    for each in values:
        if not _can_be(each):
            # As the controller does: it echoes all that was sent.
            raise Refusal(400, {"values": [f"could not validate {values}: {each.get('name')!r}"]})
    return list(values), _refs(body)


def _can_be(item: Any) -> bool:
    places = [name for name in ("group", "ptype") if name in item]
    names = [item.get("name"), *(item[place] for place in places)]
    return (
        len(places) == 1
        and set(item) == {"name", "value", *places}
        and all(isinstance(name, str) and _NAME.fullmatch(name) for name in names)
        and (item["value"] is None or isinstance(item["value"], str))
    )


def _refs(body: Any) -> dict[str, list[str]]:
    refs = body.get("values_refs") or {}
    if not all(isinstance(groups, list) and all(map(_is_name, groups)) for groups in refs.values()):
        raise Refusal(400, {"values_refs": ["could not validate"]})
    return dict(refs)


def _is_name(value: object) -> bool:
    return isinstance(value, str) and _NAME.fullmatch(value) is not None


def _lists(refs: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    return {ptype: list(groups) for ptype, groups in refs.items()}


def _place(item: Item) -> tuple[str, str]:
    return item.get("ptype", ""), item.get("group", "")


def _key(name: str) -> str:
    return name.lower().replace("_", "-")
