"""`audit show`, `export` and `verify`: who did what, and whether all of it is still there; of both programs."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from functools import wraps
from typing import Any, Concatenate, NamedTuple, ParamSpec, Protocol, TypeVar

import click

from helmbroker import output as printing
from helmbroker.audit import Verdict
from helmbroker.program import shown_as

S = TypeVar("S")
P = ParamSpec("P")
CANNOT = 2  # the exit status of who cannot look


class Log(Protocol):
    """The audit of a program."""

    def entries(self, *, only: str | None = None, newest: int | None = None) -> Iterable[Mapping[str, Any]]:
        """Rows as they are stored, in their order. only: of one thing; newest: so many, the last ones."""
        ...

    def verify(self, anchor: tuple[int, str] | None = None) -> Verdict: ...


class Things(NamedTuple):
    """What entries are about: the columns that name it, and the option that asks for one value of the first."""

    columns: tuple[str, ...]
    option: str
    help: str


class Book(NamedTuple):
    """The audit, and what its entries are about."""

    log: Log
    things: Things


def _anchor(_ctx: click.Context, _option: click.Parameter, text: str | None) -> tuple[int, str] | None:
    if text is None:
        return None
    found = re.fullmatch("([0-9]{1,18}):([0-9a-f]{64})", text)
    if found is None:
        raise click.UsageError(
            "--anchor must be a number, a colon and 64 hexadecimal digits, as `verify` prints it"
        )
    return int(found[1]), found[2]


_limit: Callable[..., Any] = click.option(
    "--limit", type=click.IntRange(1, 100_000), default=100, show_default=True, help="The newest ones."
)
_since: Callable[..., Any] = click.option(
    "--anchor", metavar="SEQ:HASH", callback=_anchor, help="The last entry that an earlier `verify` has told."
)


def group(
    program: str,
    things: Things,
    with_settings: Callable[..., Any],
    opened: Callable[[S], AbstractContextManager[Log]],
) -> click.Group:
    """The program's commands. with_settings, opened: as for the keys (key_commands), with CANNOT as exit status."""

    @click.group("audit")
    def audit() -> None:
        """Who did what, and to what: docs/reference/audit.md."""

    def with_book(command: Callable[Concatenate[Book, P], None]) -> Any:
        @shown_as(program)
        @wraps(command)
        def run(settings: S, *args: P.args, **kwargs: P.kwargs) -> None:
            with opened(settings) as log:
                command(Book(log, things), *args, **kwargs)

        return with_settings(run)

    only = click.option(things.option, "only", help=things.help)
    audit.command("show")(only(_limit(printing.option(with_book(show)))))
    audit.command("export")(with_book(export))
    audit.command("verify")(_since(printing.option(with_book(verify))))
    return audit


def show(book: Book, *, only: str | None, limit: int, output: str) -> None:
    """The newest entries, the last one at the end.

    \b
    Example:
      PROGRAM audit show --limit 20
    """
    _print(book.log.entries(only=only, newest=limit), book.things, output)


def export(book: Book) -> None:
    """All entries, a line of JSON for each.

    \b
    Example:
      PROGRAM audit export >audit.jsonl
    """
    _print(book.log.entries(), book.things, "json")


def verify(book: Book, *, anchor: tuple[int, str] | None, output: str) -> None:
    """Whether an entry was changed, removed or moved. Exit status: 0 none, 1 some, 2 cannot look.

    \b
    Example:
      PROGRAM audit verify --anchor 4711:9f86d081...
    """
    verdict = book.log.verify(anchor)
    _tell(verdict, output)
    sys.exit(1 if verdict.faults else 0)


def _tell(verdict: Verdict, output: str) -> None:
    last = f"{verdict.last[0]}:{verdict.last[1]}"
    if output == "json":
        click.echo(json.dumps({"rows": verdict.rows, "last": last, "faults": verdict.faults}))
        return
    for fault in verdict.faults:
        click.echo(fault)
    click.echo(f"{verdict.rows} entries, {'NOT WHOLE' if verdict.faults else 'all as they were written'}")
    click.echo(f"the last one is {last}; kept elsewhere, it is an anchor for the next time")


def _print(entries: Iterable[Mapping[str, Any]], things: Things, output: str) -> None:
    for entry in entries:
        row = {**entry, "at": datetime.fromtimestamp(entry["at"], UTC).isoformat(timespec="milliseconds")}
        if output == "json":
            click.echo(json.dumps(row))
            continue
        thing = "/".join(filter(None, (row[column] for column in things.columns))) or "-"
        who = row["actor"] if row.get("origin") is None else f"{row['actor']} for {row['origin']}"
        words = [row["at"], f"{row['action']} {row['outcome']}", thing, f"by {who}"]
        click.echo("  ".join([f"{row['seq']:>6}", *words, json.dumps(row["detail"])]))
