"""How commands print: `-o text` for people, `-o json` for programs, a line of JSON for each row."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any

import click


class Output(StrEnum):
    """How it is printed."""

    TEXT = "text"
    JSON = "json"


class _Word(click.Choice[str]):
    """`table` is an older word for `text`."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        return str(super().convert("text" if value == "table" else value, param, ctx))


def choice(name: str, *more: str, forms: Iterable[str] = Output) -> Callable[..., Any]:
    """The option for the parameter `name`; more: older words for it; forms: what may be printed."""
    words = _Word([str(each) for each in forms])
    told: dict[str, Any] = {
        "type": words,
        "default": str(Output.TEXT),
        "show_default": True,
        "help": "How to print it.",
    }
    return click.option("-o", "--output", *more, name, **told)


option = choice("output")


def rows(found: Iterable[Mapping[str, Any]], columns: Sequence[str], how: str) -> None:
    """A line of JSON for each row, or a table of some columns."""
    if how == Output.JSON:
        for row in found:
            click.echo(json.dumps(row))
        return
    cells = [[name.upper() for name in columns], *([cell(row.get(name)) for name in columns] for row in found)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for line in cells:
        click.echo("  ".join(f"{each:<{width}}" for each, width in zip(line, widths, strict=True)).rstrip())


def row(found: Mapping[str, Any], how: str) -> None:
    """One thing: a line of JSON, or a line for each of its facts."""
    if how == Output.JSON:
        click.echo(json.dumps(found))
        return
    width = max(map(len, found), default=0)
    for name, value in found.items():
        click.echo(f"{name:<{width}} {cell(value)}".rstrip())


def said(found: Mapping[str, Any], sentence: str, how: str) -> None:
    """What was done, as a sentence or as JSON."""
    click.echo(json.dumps(found) if how == Output.JSON else sentence)


def cell(value: object) -> str:
    """A value for people."""
    match value:
        case None | "":
            return "-"
        case bool():
            return "yes" if value else "no"
        case Mapping() if "number" in value:  # a step
            back = " of the way back" if value.get("way_back") else ""
            return f"{value['number']} of {value['of']}{back}: {value['name']}"
        case Mapping():
            return ", ".join(f"{each} {name}" for name, each in value.items()) or "-"
        case list():
            return ", ".join(map(str, value)) or "-"
        case _:
            return str(value)
