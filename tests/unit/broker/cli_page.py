"""The references of the command lines of both programs, made from their click commands.

`make cli-page` writes docs/reference/cli.md and cli-bridge.md; a test fails while a page says something else.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import click

from helmbroker.broker.cli import main as broker
from helmbroker.controller_bridge.cli import main as bridge

_PAGES = Path(__file__).parents[3] / "docs" / "reference"


class Program(NamedTuple):
    """A program, where its page is, and where the page leads to."""

    name: str
    main: click.Group
    page: Path
    besides: str


PROGRAMS = (
    Program(
        "helmbroker",
        broker,
        _PAGES / "cli.md",
        "The same over HTTP, where there is such: [what operators see](admin-api.md).",
    ),
    Program(
        "helmbroker-bridge",
        bridge,
        _PAGES / "cli-bridge.md",
        "What it serves: [REST](bridge-rest.md); the command of its users: [drycc-resources](drycc-resources.md).",
    ),
)


def page(program: Program) -> str:
    """The whole page, in Markdown."""
    return _head(program) + "".join(
        _section(names, command) for names, command in commands(program.main, (program.name,))
    )


def _head(program: Program) -> str:
    return f"""\
# The command line `{program.name}`

Made by `make cli-page` from the program's own commands; not edited by hand. Settings come from environment
variables: [settings](settings.md). {program.besides}

`-o json` prints a line of JSON for each row of a table, and one for anything else; progress and questions go to
the standard error. `{program.name} completion bash` (zsh, fish) prints what makes the shell complete commands.
"""


def commands(group: click.Group, names: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """All that can be run, by name; what is hidden is left out."""
    ctx = click.Context(group)
    for name in sorted(group.list_commands(ctx)):
        command = group.get_command(ctx, name)
        if command is None or command.hidden:
            continue
        if isinstance(command, click.Group):
            yield from commands(command, (*names, name))
        else:
            yield (*names, name), command


def _section(names: tuple[str, ...], command: click.Command) -> str:
    ctx = click.Context(command, info_name=" ".join(names))
    usage = " ".join([*names, *command.collect_usage_pieces(ctx)])
    options = [each for each in command.get_params(ctx) if isinstance(each, click.Option) and not each.hidden]
    rows = [record for each in options if (record := each.get_help_record(ctx)) and "--help" not in each.opts]
    table = "".join(f"| `{_cell(flags)}` | {_cell(about)} |\n" for flags, about in rows)
    known = f"\n| option | |\n|---|---|\n{table}" if rows else ""
    return f"\n## {' '.join(names[1:])}\n\n{_text(command.help or '')}\n\n```\n{usage}\n```\n{known}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _text(given: str) -> str:
    """Paragraphs of a command's help; what click is told not to wrap is printed as it is."""
    parts = []
    for part in textwrap.dedent(given).strip().split("\n\n"):
        first, _, rest = part.partition("\n")
        if first.strip() != "\b":
            parts.append(" ".join(part.split()))
            continue
        title, _, lines = rest.partition("\n")
        parts.append(f"{title.strip()}\n\n```console\n{textwrap.dedent(lines)}\n```")
    return "\n\n".join(parts)


if __name__ == "__main__":
    for each in PROGRAMS:
        each.page.write_text(page(each))
