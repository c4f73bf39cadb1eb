"""`helmbroker operations` and `helmbroker workers`: what the admin API shows, on the command line."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import StrEnum
from typing import Any

import click

from helmbroker.broker import wiring
from helmbroker.broker.api import shown
from helmbroker.broker.command import folders, with_settings
from helmbroker.broker.domain.overview import Wanted
from helmbroker.broker.domain.store_ports import Overview
from helmbroker.broker.settings import Settings
from helmbroker.durable import State


class Output(StrEnum):
    """How it is printed."""

    TABLE = "table"
    JSON = "json"


_OPERATIONS = ("id", "instance_id", "state", "queued_at", "description")
_WORKERS = ("owner", "started_at", "seen_s_ago", "lives")
output: Callable[..., Any] = click.option(
    "--output",
    type=click.Choice([str(each) for each in Output]),
    default=str(Output.TABLE),
    help="How to print it.",
)


@click.group()
def operations() -> None:
    """What is done, waits, and was done."""


@operations.command("list")
@click.option("--state", "states", multiple=True, type=click.Choice([str(state) for state in State]))
@click.option("--kind", "kinds", multiple=True, help="provision, update, deprovision, bind, unbind, ...")
@click.option("--instance", "instance_id", help="Of this service instance and its bindings.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=100, show_default=True)
@output
@with_settings
def list_operations(
    settings: Settings,
    *,
    states: Sequence[str],
    kinds: Sequence[str],
    instance_id: str | None,
    limit: int,
    output: str,
) -> None:
    """Operations, the newest first."""
    wanted = Wanted([State(each) for each in states], kinds, instance_id, limit)
    with _overview(settings) as overview:
        rows = [shown.operation(each) for each in overview.operations(wanted)]
    _print(rows, _OPERATIONS, output)


@operations.command("show")
@click.argument("operation_id", metavar="ID")
@output
@with_settings
def show_operation(settings: Settings, *, operation_id: str, output: str) -> None:
    """One operation: its step and attempt, who has it, and until when."""
    with _overview(settings) as overview:
        found = overview.operation(operation_id)
    if found is None:
        click.echo(f"helmbroker: there is no operation {operation_id}", err=True)
        sys.exit(1)
    row = shown.operation(found)
    if output == Output.JSON:
        click.echo(json.dumps(row))
        return
    for name, value in row.items():
        click.echo(f"{name:<17} {_cell(value)}".rstrip())


@click.command()
@output
@with_settings
def workers(settings: Settings, *, output: str) -> None:
    """Which workers live, and which have not told of themselves for 30 s."""
    with _overview(settings) as overview:
        rows = [shown.worker(each) for each in overview.workers()]
    _print(rows, _WORKERS, output)


@contextmanager
def _overview(settings: Settings) -> Iterator[Overview]:
    with folders(settings):
        store = wiring.make_store(settings)
    try:
        with store.overview() as overview:
            yield overview
    finally:
        store.close()


def _print(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], how: str) -> None:
    """A line of JSON for each row, or a table of some columns."""
    if how == Output.JSON:
        for row in rows:
            click.echo(json.dumps(row))
        return
    cells = [[name.upper() for name in columns], *([_cell(row[name]) for name in columns] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for line in cells:
        click.echo("  ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)).rstrip())


def _cell(value: object) -> str:
    """A value for people."""
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case Mapping():
            back = " of the way back" if value.get("way_back") else ""
            return f"{value['number']} of {value['of']}{back}: {value['name']}"
        case list():
            return ", ".join(map(str, value)) or "-"
        case _:
            return str(value)
