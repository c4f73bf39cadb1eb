"""A YAML text -> plain data and the line of everything in it, in one pass, and never more than was written.

The C parser alone composes nodes without watching its stack, and aliases make small files huge: here depth and size
are counted while the events arrive, so that nothing is built that is not wanted.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from helmbroker.catalog.yaml_types import Loader, tagged

Where = tuple[str | int, ...]
MAX_DEPTH = 64
MAX_NODES = 100_000
MAX_CHARACTERS = 8 << 20  # of all texts together, each counted as often as aliases repeat it
_PREFIX = "tag:yaml.org,2002:"
_COLLECTIONS = {yaml.MappingStartEvent: _PREFIX + "map", yaml.SequenceStartEvent: _PREFIX + "seq"}


class Refused(yaml.MarkedYAMLError):
    """YAML, but not what an addon may hold."""

    def __init__(self, problem: str, mark: Any) -> None:
        super().__init__(problem=problem, problem_mark=mark)


@dataclass
class _Anchor:
    """What an alias stands for: `nodes` and `characters` in it, `height` levels. While it is open: nothing yet."""

    value: Any = None
    nodes: int = 0
    characters: int = 0
    height: int = 0
    closed: bool = False
    text: str | None = None  # of a scalar


class Tree:
    """`data`; `lines`: the line (from 1) of every node by its path, what aliases repeat left out; `texts`: the
    scalars at the top of a mapping, as they were written. Raises yaml.YAMLError.

    `rendered`: as Helm takes what templates print. `data` is the list of all documents, which are counted together,
    and of a key that is there twice the last one counts; lines and texts are of no use. Else both are refused.
    """

    def __init__(self, reader: Loader, *, rendered: bool = False) -> None:
        self._rendered = rendered
        self.lines: dict[Where, int] = {}
        self.texts: dict[str, str] = {}
        self._next: Callable[[], Any] = reader.get_event
        self._plain = reader.plain
        self._anchors: dict[str, _Anchor]
        self._nodes = self._characters = self._height = 0
        self._next()  # the stream's start
        found: list[Any] = []
        while isinstance(event := self._next(), yaml.DocumentStartEvent):
            if found and not rendered:
                raise Refused("but found another document", event.start_mark)
            found.append(self._document())
        self.data: Any = found if rendered else next(iter(found), None)

    def _document(self) -> Any:
        self._anchors = {}
        first = self._next()
        data = self._node(first, (), first.start_mark.line)
        self._next()  # the document's end
        return data

    def _node(self, event: Any, where: Where, line: int) -> Any:
        self.lines[where] = line + 1
        depth = len(where)
        self._count(event, 1, 0)
        self._height = max(self._height, depth)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, where)
        if event.anchor is None:
            return self._value(event, where)
        anchor = self._anchors[event.anchor] = _Anchor()
        before, self._height = (self._nodes, self._characters, self._height), depth
        anchor.value = self._value(event, where)
        anchor.nodes, anchor.characters = self._nodes - before[0], self._characters - before[1]
        anchor.height, anchor.closed = self._height - depth, True
        anchor.text = event.value if isinstance(event, yaml.ScalarEvent) else None
        self._height = max(self._height, before[2])
        return anchor.value

    def _count(self, event: Any, nodes: int, characters: int) -> None:
        self._nodes += nodes
        self._characters += characters
        if self._nodes > MAX_NODES or self._characters > MAX_CHARACTERS:
            raise Refused("too large when its aliases are written out", event.start_mark)

    def _alias(self, event: Any, where: Where) -> Any:
        anchor, depth = self._anchors.get(event.anchor), len(where)
        if anchor is None:
            raise Refused(f"found undefined alias {event.anchor!r}", event.start_mark)
        if not anchor.closed or depth + anchor.height > MAX_DEPTH:
            raise Refused(f"nested more than {MAX_DEPTH} deep, or contains itself", event.start_mark)
        self._count(event, anchor.nodes, anchor.characters)
        self._height = max(self._height, depth + anchor.height)
        if anchor.text is not None:
            self._note(where, anchor.text)
        return anchor.value

    def _value(self, event: Any, where: Where) -> Any:
        if isinstance(event, yaml.ScalarEvent):
            self._count(event, 0, len(event.value))
            value = self._scalar(event)
            self._note(where, event.value)
            return value
        if len(where) >= MAX_DEPTH:
            raise Refused(f"nested more than {MAX_DEPTH} deep", event.start_mark)
        if event.tag not in (None, "!", _COLLECTIONS[type(event)]):
            raise Refused(f"tag {event.tag} is not allowed: addon files hold plain data only", event.start_mark)
        if isinstance(event, yaml.SequenceStartEvent):
            inside = self._until(yaml.SequenceEndEvent)
            return [self._node(each, (*where, index), each.start_mark.line) for index, each in enumerate(inside)]
        return self._mapping(where)

    def _note(self, where: Where, text: str) -> None:
        if len(where) == 1 and isinstance(where[0], str):
            self.texts[where[0]] = text

    def _until(self, end: type) -> Iterator[Any]:
        while not isinstance(event := self._next(), end):
            yield event

    def _mapping(self, where: Where) -> dict[str, Any]:
        found: dict[str, Any] = {}
        merged: list[dict[str, Any]] = []
        for key in self._until(yaml.MappingEndEvent):
            name = self._key(key)
            self._count(key, 0, len(name))
            if not self._rendered and (name in found or (merged and _merges(key))):
                raise Refused(f"key {name!r} twice", key.start_mark)
            value = self._node(self._next(), (*where, name), key.start_mark.line)
            if _merges(key):
                merged = self._merged(value, key)
            else:
                found[name] = value
        for each in merged:
            found = {**each, **found}
        return found

    def _merged(self, value: Any, key: Any) -> list[dict[str, Any]]:
        """What `<<` brings in: earlier ones win."""
        maps = value if isinstance(value, list) else [value]
        if not all(isinstance(each, dict) for each in maps):
            raise Refused("<< merges mappings only", key.start_mark)
        return maps

    def _key(self, event: Any) -> str:
        if not isinstance(event, yaml.ScalarEvent):
            raise Refused("a key must be text", event.start_mark)
        if event.anchor is not None:
            raise Refused("a key cannot have an anchor", event.start_mark)
        if not isinstance(self._scalar(event), str):
            raise Refused(f"key {event.value} is not text; write it in quotes", event.start_mark)
        return str(event.value)

    def _scalar(self, event: Any) -> Any:
        if event.tag is None and not event.implicit[0]:
            return event.value
        try:
            value = self._plain(event.value) if event.tag is None else tagged(event.value, event.tag)
        except ValueError as error:
            raise Refused(str(error), event.start_mark) from None
        if isinstance(value, float) and math.isinf(value):
            problem = f"{event.value!r} is no float that JSON knows; write it in quotes if it is text"
            raise Refused(problem, event.start_mark)
        return value


def _merges(key: Any) -> bool:
    return bool(key.value == "<<" and key.tag is None and key.implicit[0])


def check_depth(text: str, loader: type[yaml.CSafeLoader]) -> None:
    """Before nodes are composed by somebody else. Raises yaml.YAMLError: no YAML, or more than MAX_DEPTH deep."""
    depth = 0
    for event in yaml.parse(text, Loader=loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                raise Refused(f"nested more than {MAX_DEPTH} deep", event.start_mark)
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
