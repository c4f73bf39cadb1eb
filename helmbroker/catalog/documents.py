"""YAML files that know their lines, so that a fault can say where it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from helmbroker.catalog.model import JSON, Fault
from helmbroker.catalog.yaml_types import Loader

Where = tuple[str | int, ...]
MAX_FILE_BYTES = 1 << 20
MAX_DEPTH = 64
MAX_NODES = 100_000
MAX_CHARACTERS = 8 << 20  # of all texts together, each counted as often as aliases repeat it


@dataclass(frozen=True)
class Document:
    """A parsed file: its data, and the line (from 1) of every node by its path."""

    name: str
    data: JSON
    lines: Mapping[Where, int]

    def fault(self, where: Where, message: str) -> Fault:
        """A fault at `where`, or at the nearest node above it that has a line."""
        at = where
        while at and at not in self.lines:
            at = at[:-1]
        path = ".".join(map(str, where))
        return Fault(self.name, self.lines.get(at, 0), f"{path}: {message}" if path else message)


class Unreadable(Exception):
    """The file cannot be parsed."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(str(fault))
        self.fault = fault


def read(path: Path, name: str, loader: type[Loader] = Loader) -> Document:
    """Parse one YAML file; `name` is how faults call it. Raises Unreadable."""
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise Unreadable(Fault(name, 0, f"is larger than {MAX_FILE_BYTES} bytes"))
        text = path.read_text("utf-8")
    except FileNotFoundError:
        raise Unreadable(Fault(name, 0, "is missing")) from None
    except UnicodeDecodeError:
        raise Unreadable(Fault(name, 0, "is not UTF-8 text; save it as UTF-8")) from None
    except OSError as error:
        raise Unreadable(Fault(name, 0, f"cannot be read: {error.strerror}")) from None
    return parse(text, name, loader)


def parse(text: str, name: str, loader: type[Loader] = Loader) -> Document:
    """Parse YAML text of exactly one document. Raises Unreadable."""
    reader = loader(text)
    try:
        check_depth(text, loader)
        node = reader.get_single_node()
        lines = _lines(node) if node is not None else {}
        data = reader.construct_document(node) if node is not None else None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        raise Unreadable(Fault(name, line, f"is not valid YAML: {error.problem or error.context}")) from None
    except yaml.YAMLError as error:
        raise Unreadable(Fault(name, 0, f"is not valid YAML: {error}")) from None
    finally:
        reader.dispose()
    return Document(name, data, lines)


def check_depth(text: str, loader: type[yaml.CSafeLoader]) -> None:
    """Before anything recursive is done: the C parser composes nodes without watching its stack.

    Raises yaml.YAMLError when the text is no YAML, or nested more than MAX_DEPTH deep.
    """
    depth = 0
    for event in yaml.parse(text, Loader=loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                raise _Bad(f"nested more than {MAX_DEPTH} deep", event.start_mark)
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


class _Bad(yaml.MarkedYAMLError):
    def __init__(self, problem: str, mark: Any) -> None:
        super().__init__(problem=problem, problem_mark=mark)


def _lines(root: yaml.Node) -> dict[Where, int]:
    """The line of every node. Aliases can make a small file huge: what they repeat is counted again."""
    lines: dict[Where, int] = {}
    characters = 0
    waiting: list[tuple[Where, int, yaml.Node]] = [((), root.start_mark.line, root)]
    while waiting:
        where, line, node = waiting.pop()
        lines[where] = line + 1
        if len(where) > MAX_DEPTH:
            raise _Bad(f"nested more than {MAX_DEPTH} deep, or contains itself", node.start_mark)
        if isinstance(node, yaml.MappingNode):
            keys = [_key(key) for key, _ in node.value]
            _check_unique(keys, node)
            characters += sum(map(len, keys))
            waiting += [
                ((*where, name), key.start_mark.line, sub)
                for name, (key, sub) in zip(keys, node.value, strict=True)
            ]
        elif isinstance(node, yaml.SequenceNode):
            waiting += [((*where, index), sub.start_mark.line, sub) for index, sub in enumerate(node.value)]
        else:
            characters += len(node.value)
        if len(lines) + len(waiting) > MAX_NODES or characters > MAX_CHARACTERS:
            raise _Bad("too large when its aliases are written out", root.start_mark)
    return lines


def _check_unique(keys: list[str], node: yaml.MappingNode) -> None:
    seen = set()
    for name, (key, _) in zip(keys, node.value, strict=True):
        if name in seen:
            raise _Bad(f"key {name!r} twice", key.start_mark)
        seen.add(name)


def _key(node: yaml.Node) -> str:
    if not isinstance(node, yaml.ScalarNode):
        raise _Bad("a key must be text", node.start_mark)
    if node.tag not in ("tag:yaml.org,2002:str", "tag:yaml.org,2002:merge"):
        raise _Bad(f"key {node.value} is not text; write it in quotes", node.start_mark)
    return str(node.value)
