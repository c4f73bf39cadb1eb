"""jsonpath as kubectl reads it: templates over one object, such as `{.spec.ports[?(@.name=="http")].port}`.

Own code: no library takes `{.data.ca\\.crt}`, and none has kubectl's templates. What kubectl answers is kept beside
the tests (tests/unit/catalog/kubectl.json). On purpose it is otherwise in three things: an index that is not there
and values of different types in a filter are no match instead of an error, and what cannot be read is refused when
it is parsed, never later.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from helmbroker import expressions as steps
from helmbroker.expressions import BadPath, Expression

__all__ = ["BadPath", "Missing", "Template", "lead", "parse", "text_of"]

_BLOCK = re.compile(rf"\{{((?:{steps.QUOTED}|[^{{}}\"'])*)\}}|([^{{}}]+)")
Picked = Callable[[list[Any]], str]  # what is printed of an expression's results


class Missing(LookupError):
    """What the template asks for is not in the object (yet)."""


@dataclass(frozen=True)
class _Range:
    """`{range .a[*]}...{end}`: the inside, once for each result."""

    over: Expression
    inside: Sequence[_Part]


_Part = str | Expression | _Range


@dataclass(frozen=True)
class Template:
    """A parsed template. Equal to another one of the same text."""

    text: str
    _parts: Sequence[_Part] = field(compare=False, repr=False)

    @property
    def is_path(self) -> bool:
        """Whether it is a single expression, with nothing but blanks around it: then results keep their type."""
        return self._path is not None

    def render(self, obj: Any) -> str:
        """As kubectl prints it: several results are parted by blanks, nothing is there for what is missing."""
        return _printed(self._parts, obj, lambda found: " ".join(map(text_of, found)))

    def first(self, obj: Any) -> Any:
        """What a credential gets: the first result of every expression. Raises Missing.

        Blanks around the template are no part of it. A single expression keeps the type of what it has found.
        """
        if self._path is not None:
            return _first(self._path.results(obj))
        return _printed(_trimmed(self._parts), obj, lambda found: text_of(_first(found)))

    def all(self, obj: Any) -> list[Any]:
        """All results of a single expression (`is_path`). Raises Missing when there is none."""
        if self._path is None:
            raise ValueError(f"{self.text!r} is no single expression")
        found = [each for each in self._path.results(obj) if each is not None]
        _first(found)
        return found

    @property
    def _path(self) -> Expression | None:
        parts = _trimmed(self._parts)
        return parts[0] if len(parts) == 1 and isinstance(parts[0], Expression) else None


def parse(text: str) -> Template:
    """Read a template. Raises BadPath for whatever is not understood."""
    blocks: list[tuple[str, str | None]] = []
    end = 0
    for found in _BLOCK.finditer(text):
        if found.start() != end:
            break
        blocks.append((found[2] or "", None if found[1] is None else found[1].strip()))
        end = found.end()
    if end != len(text):
        raise BadPath(f"{text!r}: the braces or quotes do not match")
    if all(block is None for _, block in blocks):
        raise BadPath(f"{text!r} has no expression; write it in braces, as in {{.spec.clusterIP}}")
    return Template(text, _parts(iter(blocks), inside=False))


def lead(*names: str) -> Template:
    """The template that leads through maps by these keys, whatever characters are in them."""
    text = "".join("." + re.sub(r"([^\w-])", r"\\\1", name) for name in names)
    return Template(f"{{{text}}}", (Expression(tuple(steps.child(name) for name in names)),))


def text_of(value: Any) -> str:
    """A value as kubectl prints it: texts as they are, everything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _parts(blocks: Iterator[tuple[str, str | None]], *, inside: bool) -> tuple[_Part, ...]:
    parts: list[_Part] = []
    for literal, block in blocks:
        if block is None:
            parts.append(literal)
        elif block == "end":
            if not inside:
                raise BadPath("{end} without {range ...}")
            return tuple(parts)
        elif block.startswith("range "):
            over = steps.expression(block.removeprefix("range "))
            parts.append(_Range(over, _parts(blocks, inside=True)))
        elif re.fullmatch(steps.QUOTED, block):
            parts.append(steps.unquoted(block))
        else:
            parts.append(steps.expression(block))
    if inside:
        raise BadPath("{range ...} without {end}")
    return tuple(parts)


def _trimmed(parts: Sequence[_Part]) -> list[_Part]:
    """Without blanks before the first and behind the last expression."""
    trimmed = list(parts)
    for at, strip in ((0, str.lstrip), (-1, str.rstrip)):
        edge = trimmed[at]
        if isinstance(edge, str):
            trimmed[at : at + 1 or None] = [cut] if (cut := strip(edge)) else []
    return trimmed


def _printed(parts: Sequence[_Part], value: Any, picked: Picked) -> str:
    said = []
    for part in parts:
        match part:
            case str():
                said.append(part)
            case Expression():
                said.append(picked(part.results(value)))
            case _Range():
                found = part.over.results(value)
                if not found:
                    said.append(picked(found))
                said += [_printed(part.inside, item, picked) for item in found]
    return "".join(said)


def _first(found: list[Any]) -> Any:
    """Null is nothing; an empty text, zero and false are something."""
    for each in found:
        if each is not None:
            return each
    raise Missing
