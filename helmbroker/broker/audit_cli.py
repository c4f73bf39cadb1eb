"""`helmbroker audit`: who did what, and whether all of it is still there."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import click

from helmbroker.broker.command import opened_store, with_settings_or
from helmbroker.broker.domain.audit import Entry
from helmbroker.broker.settings import Settings

_CANNOT = 2
_output = click.option("--output", type=click.Choice(["table", "json"]), default="table", help="How it is printed.")


@click.group()
def audit() -> None:
    """Who did what to which instance and binding: docs/reference/audit.md."""


@audit.command()
@click.option("--instance", "instance_id", help="Of this service instance and its bindings.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=100, show_default=True, help="The newest ones.")
@_output
@with_settings_or(_CANNOT)
def show(settings: Settings, *, instance_id: str | None, limit: int, output: str) -> None:
    """The newest entries, the last one at the end."""
    with opened_store(settings, _CANNOT) as store:
        _print(store.entries(instance_id=instance_id, newest=limit), output)


@audit.command()
@with_settings_or(_CANNOT)
def export(settings: Settings) -> None:
    """All entries, a line of JSON for each."""
    with opened_store(settings, _CANNOT) as store:
        _print(store.entries(), "json")


@audit.command()
@click.option("--anchor", metavar="SEQ:HASH", help="The last entry that an earlier `verify` has told.")
@_output
@with_settings_or(_CANNOT)
def verify(settings: Settings, *, anchor: str | None, output: str) -> None:
    """Whether an entry was changed, removed or moved. Exit status: 0 none, 1 some, 2 cannot look."""
    known = None if anchor is None else _anchor(anchor)
    with opened_store(settings, _CANNOT) as store:
        verdict = store.verify(known)
    last = f"{verdict.last[0]}:{verdict.last[1]}"
    if output == "json":
        click.echo(json.dumps({"rows": verdict.rows, "last": last, "faults": verdict.faults}))
    else:
        for fault in verdict.faults:
            click.echo(fault)
        click.echo(f"{verdict.rows} entries, {'NOT WHOLE' if verdict.faults else 'all as they were written'}")
        click.echo(f"the last one is {last}; kept elsewhere, it is an anchor for the next time")
    sys.exit(1 if verdict.faults else 0)


def _anchor(text: str) -> tuple[int, str]:
    found = re.fullmatch("([0-9]{1,18}):([0-9a-f]{64})", text)
    if found is None:
        raise click.UsageError(
            "--anchor must be a number, a colon and 64 hexadecimal digits, as `verify` prints it"
        )
    return int(found[1]), found[2]


def _print(entries: Iterable[Entry], output: str) -> None:
    for each in entries:
        row = _plain(each)
        if output == "json":
            click.echo(json.dumps(row))
            continue
        thing = "/".join(filter(None, (each.event.instance_id, each.event.binding_id))) or "-"
        who = each.actor.name if each.actor.origin is None else f"{each.actor.name} for {each.actor.origin}"
        words = [row["at"], f"{each.event.action} {each.event.outcome}", thing, f"by {who}"]
        click.echo("  ".join([f"{each.seq:>6}", *words, json.dumps(dict(each.event.detail))]))


def _plain(entry: Entry) -> dict[str, Any]:
    event = entry.event
    return {
        "seq": entry.seq,
        "at": datetime.fromtimestamp(entry.at, UTC).isoformat(timespec="milliseconds"),
        "actor": entry.actor.name,
        "origin": entry.actor.origin,
        "action": event.action,
        "outcome": str(event.outcome),
        "instance_id": event.instance_id,
        "binding_id": event.binding_id,
        "operation_id": event.operation_id,
        "detail": event.detail,
        "hash": entry.hash,
    }
