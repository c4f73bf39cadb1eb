"""Expressions of jsonpath, as in `.ports[?(@.name=="x")].port`: the steps that lead from a value to its results."""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

Step = Callable[[Any], Iterator[Any]]  # a value -> what it leads to

QUOTED = r"""'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*\""""
_NAME = re.compile(r"(?:\\.|[^\s.\[\]{}()'\"\\])+")
_STRINGS = re.compile(rf"\s*(?:{QUOTED})\s*(?:,\s*(?:{QUOTED})\s*)*")
_INDICES = re.compile(r"\s*-?\d+\s*(?:,\s*-?\d+\s*)*")
_SLICE = re.compile(r"\s*(-?\d+)?\s*:\s*(-?\d+)?\s*(?::\s*([1-9]\d*)?\s*)?")
_FILTER = re.compile(
    r"\?\(\s*@(?P<path>(?:[^=!<>\s]|\\.)*)\s*(?:(?P<op>==|!=|<=|>=|<|>)\s*(?P<literal>.*?))?\s*\)", re.DOTALL
)
_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "==": operator.eq, "!=": operator.ne,
}  # fmt: skip


class BadPath(ValueError):
    """The template cannot be read. The text says what is wrong with it, and is fit for its author."""


@dataclass(frozen=True)
class Expression:
    """What stands in braces."""

    steps: Sequence[Step]

    def results(self, value: Any) -> list[Any]:
        """All that it leads to; nothing where there is nothing."""
        return list(_walk(self.steps, value))


def expression(text: str) -> Expression:
    """What stands in braces, or behind the @ of a filter."""
    text = text.strip()
    steps: list[Step] = []
    position = 1 if text[:1] in ("$", "@") else 0
    if not text:
        raise BadPath("there is an expression without anything in it")
    while position < len(text):
        step, position = _step(text, position)
        steps.append(step)
    return Expression(tuple(steps))


def _step(text: str, at: int) -> tuple[Step, int]:
    if text[at] == "[":
        end = _closing(text, at)
        return _subscript(text[at + 1 : end]), end + 1
    if text.startswith("..", at):
        if text.startswith("..[", at):
            step, end = _step(text, at + 2)
        else:
            step, end = _named(text, at + 2)
        return _descend(step), end
    if text[at] == ".":
        return _named(text, at + 1)
    raise BadPath(f"{text!r} is not understood from {text[at:]!r} on")


def _named(text: str, at: int) -> tuple[Step, int]:
    found = _NAME.match(text, at)
    if found is None:
        raise BadPath(f"{text!r}: a name is missing before {text[at:]!r}")
    return (_children if found[0] == "*" else child(_unescaped(found[0]))), found.end()


def _closing(text: str, at: int) -> int:
    """Where the bracket ends that opens at `at`."""
    depth, position = 0, at
    while position < len(text):
        quoted = re.compile(QUOTED).match(text, position)
        if quoted is not None:
            position = quoted.end()
            continue
        depth += {"[": 1, "]": -1}.get(text[position], 0)
        if depth == 0:
            return position
        position += 2 if text[position] == "\\" else 1
    raise BadPath(f"{text!r}: the bracket {text[at:]!r} is not closed")


def _subscript(text: str) -> Step:
    if text.strip() == "*":
        return _children
    if text.strip().startswith("?"):
        return _filter(text.strip())
    if _STRINGS.fullmatch(text):
        names = [unquoted(found) for found in re.findall(QUOTED, text)]
        return _union([child(name) for name in names])
    if _INDICES.fullmatch(text):
        return _union([_item(int(number)) for number in text.split(",")])
    if found := _SLICE.fullmatch(text):
        first, last, step = (None if number is None else int(number) for number in found.groups())
        return _slice(slice(first, last, step))
    raise BadPath(f"the subscript [{text}] is not understood")


def _filter(text: str) -> Step:
    found = _FILTER.fullmatch(text)
    if found is None:
        raise BadPath(f'the filter [{text}] is not understood; it may be [?(@.name=="x")] or [?(@.name)]')
    left = expression("@" + found["path"])
    if found["op"] is None:
        return _kept(lambda item: bool(left.results(item)))
    wanted = _literal(found["literal"], text)
    compare = _OPERATORS[found["op"]]
    alike = found["op"] == "!="  # also values of another type are different
    return _kept(
        lambda item: any(
            compare(each, wanted) if _comparable(each, wanted, compare) else alike for each in left.results(item)
        )
    )


def _literal(text: str, condition: str) -> Any:
    if re.fullmatch(QUOTED, text):
        return unquoted(text)
    try:
        value = json.loads(text)
    except ValueError:
        value = {}
    if isinstance(value, dict | list | str):
        joined = "; conditions cannot be joined" if "&&" in text or "||" in text else ""
        raise BadPath(f"the filter [{condition}]: {text!r} is no text in quotes, number, true or false{joined}")
    return value


def _comparable(one: Any, other: Any, compare: Callable[[Any, Any], bool]) -> bool:
    numbers = [isinstance(each, int | float) and not isinstance(each, bool) for each in (one, other)]
    if all(numbers) or (isinstance(one, str) and isinstance(other, str)):
        return True
    return type(one) is type(other) and compare in (operator.eq, operator.ne)


def _walk(steps: Sequence[Step], value: Any) -> Iterator[Any]:
    if not steps:
        yield value
        return
    for found in steps[0](value):
        yield from _walk(steps[1:], found)


def child(name: str) -> Step:
    return lambda value: iter([value[name]] if isinstance(value, dict) and name in value else ())


def _children(value: Any) -> Iterator[Any]:
    return iter(value.values() if isinstance(value, dict) else value if isinstance(value, list) else ())


def _item(number: int) -> Step:
    return lambda value: iter(
        [value[number]] if isinstance(value, list) and -len(value) <= number < len(value) else ()
    )


def _slice(wanted: slice) -> Step:
    return lambda value: iter(value[wanted] if isinstance(value, list) else ())


def _union(steps: Sequence[Step]) -> Step:
    return lambda value: (found for step in steps for found in step(value))


def _kept(condition: Callable[[Any], bool]) -> Step:
    return lambda value: (item for item in _children(value) if condition(item))


def _descend(step: Step) -> Step:
    def found(value: Any) -> Iterator[Any]:
        yield from step(value)
        for each in _children(value):
            yield from found(each)

    return found


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)


def unquoted(text: str) -> str:
    return _unescaped(text[1:-1].replace("\\n", "\n").replace("\\t", "\t"))
