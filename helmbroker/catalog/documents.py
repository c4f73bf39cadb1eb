"""YAML files that know their lines, so that a fault can say where it is."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import yaml
from jsonschema.protocols import Validator

from helmbroker.catalog.model import JSON, Fault

Where = tuple[str | int, ...]
MAX_FILE_BYTES = 1 << 20
MAX_NODES = 100_000


class Loader(yaml.CSafeLoader):
    """Plain data only; types as Helm reads them (YAML 1.2 core), so `yes` is text and `3.10` a number."""


# PyYAML follows YAML 1.1, where `yes`, `on` and `012` change type; Helm's parser does not do that
Loader.yaml_implicit_resolvers = {}
for tag, pattern, first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("int", r"[-+]?(0|[1-9][0-9]*)", "-+0123456789"),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", "-+0123456789."),
):
    Loader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(rf"^(?:{pattern})$"), list(first))


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


def read(path: Path, name: str) -> Document:
    """Parse one YAML file; `name` is how faults call it. Raises Unreadable."""
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise Unreadable(Fault(name, 0, f"is larger than {MAX_FILE_BYTES} bytes"))
        text = path.read_text("utf-8")
    except FileNotFoundError:
        raise Unreadable(Fault(name, 0, "is missing")) from None
    except (OSError, UnicodeDecodeError) as error:
        raise Unreadable(Fault(name, 0, f"cannot be read as UTF-8 text: {error}")) from None
    return parse(text, name)


def parse(text: str, name: str) -> Document:
    """Parse YAML text of exactly one document. Raises Unreadable."""
    lines: dict[Where, int] = {}
    loader = Loader(text)
    try:
        node = loader.get_single_node()
        for where, line in _positions(node, ()) if node is not None else ():
            lines[where] = line
            if len(lines) > MAX_NODES:  # aliases can make a small file huge
                raise Unreadable(Fault(name, line, f"has more than {MAX_NODES} nodes"))
        data = loader.construct_document(node) if node is not None else None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        raise Unreadable(Fault(name, line, f"is not valid YAML: {error.problem or error.context}")) from None
    except RecursionError:
        raise Unreadable(Fault(name, 0, "is nested too deeply, or contains itself")) from None
    except (yaml.YAMLError, ValueError, TypeError) as error:
        raise Unreadable(Fault(name, 0, f"is not valid YAML: {error}")) from None
    finally:
        loader.dispose()
    return Document(name, data, lines)


def _positions(node: yaml.Node, where: Where) -> Iterator[tuple[Where, int]]:
    yield where, node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        seen = set()
        for key, value in node.value:
            if key.value in seen:
                raise yaml.MarkedYAMLError(problem=f"key {key.value!r} twice", problem_mark=key.start_mark)
            seen.add(key.value)
            yield from _positions(value, (*where, str(key.value)))
            yield (*where, str(key.value)), key.start_mark.line + 1
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield from _positions(value, (*where, index))


def check(document: Document, validator: Validator) -> list[Fault]:
    """Every breach of the schema, each with its line."""
    errors: Sequence[jsonschema.ValidationError] = sorted(
        validator.iter_errors(document.data), key=lambda error: [str(part) for part in error.absolute_path]
    )
    return [document.fault(tuple(error.absolute_path), explain(error)) for error in errors]


def explain(error: jsonschema.ValidationError) -> str:
    """A validation error as a sentence; never the offending value, which may be a secret."""
    wanted: Any = error.validator_value
    match error.validator:
        case "additionalProperties" if isinstance(error.instance, dict):
            known = set(error.schema.get("properties", {})) if isinstance(error.schema, Mapping) else set()
            unknown = ", ".join(sorted(repr(str(key)) for key in error.instance if key not in known))
            allowed = ", ".join(sorted(known)) or "nothing"
            return f"unknown {unknown}; allowed: {allowed}"
        case "required" if isinstance(error.instance, dict):
            missing = ", ".join(sorted(key for key in wanted if key not in error.instance))
            return f"missing: {missing}"
        case "type":
            return f"must be of type {wanted if isinstance(wanted, str) else ' or '.join(wanted)}"
        case "enum":
            return f"must be one of {', '.join(str(value) for value in wanted)}"
        case "pattern":
            return f"must match {wanted}"
        case "minimum" | "exclusiveMinimum" | "minLength" | "minItems":
            return f"is too small: {error.validator} is {wanted}"
        case "maximum" | "exclusiveMaximum" | "maxLength" | "maxItems" | "maxProperties":
            return f"is too large: {error.validator} is {wanted}"
    return f"breaks the schema's rule {error.validator!r}"
