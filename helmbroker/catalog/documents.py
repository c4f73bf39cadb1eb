"""YAML files that know their lines, so that a fault can say where it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from helmbroker.catalog.model import JSON, Fault
from helmbroker.catalog.yaml_tree import Tree, Where, check_depth
from helmbroker.catalog.yaml_types import Loader

__all__ = ["MAX_FILE_BYTES", "Document", "Unreadable", "Where", "check_depth", "parse", "read", "text"]
MAX_FILE_BYTES = 1 << 20


@dataclass(frozen=True)
class Document:
    """A parsed file: its data; the line (from 1) of every node by its path; the scalars at the top, as written."""

    name: str
    data: JSON
    lines: Mapping[Where, int]
    texts: Mapping[str, str] = field(default_factory=dict)

    def fault(self, where: Where, message: str) -> Fault:
        """A fault at `where`, or at the nearest node above it that has a line."""
        at = where
        while at and at not in self.lines:
            at = at[:-1]
        path = ".".join(part if (part := str(each)).isprintable() else repr(part) for each in where)
        return Fault(self.name, self.lines.get(at, 0), f"{path}: {message}" if path else message)


class Unreadable(Exception):
    """The file cannot be parsed."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(str(fault))
        self.fault = fault


def read(path: Path, name: str, loader: type[Loader] = Loader) -> Document:
    """Parse one YAML file; `name` is how faults call it. Raises Unreadable."""
    return parse(text(path, name), name, loader)


def text(path: Path, name: str) -> str:
    """A text file of at most MAX_FILE_BYTES. Raises Unreadable."""
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise Unreadable(Fault(name, 0, f"is larger than {MAX_FILE_BYTES} bytes"))
        return path.read_text("utf-8")
    except FileNotFoundError:
        raise Unreadable(Fault(name, 0, "is missing")) from None
    except UnicodeDecodeError:
        raise Unreadable(Fault(name, 0, "is not UTF-8 text; save it as UTF-8")) from None
    except OSError as error:
        raise Unreadable(Fault(name, 0, f"cannot be read: {error.strerror}")) from None


def parse(content: str, name: str, loader: type[Loader] = Loader) -> Document:
    """Parse YAML text of exactly one document. Raises Unreadable."""
    reader = loader(content)
    try:
        tree = Tree(reader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        raise Unreadable(Fault(name, line, f"is not valid YAML: {error.problem or error.context}")) from None
    except yaml.YAMLError as error:
        raise Unreadable(Fault(name, 0, f"is not valid YAML: {' '.join(str(error).split())}")) from None
    finally:
        reader.dispose()
    return Document(name, tree.data, tree.lines, tree.texts)
