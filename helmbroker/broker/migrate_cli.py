"""`helmbroker migrate-drycc`: instances of Drycc's helmbroker become this broker's, while they run."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import click

from helmbroker import output as printing
from helmbroker.broker import catalog_wiring, wiring
from helmbroker.broker.command import opened_store, stop, with_settings_or
from helmbroker.broker.migration.directory import BadDirectory, DataDirectory
from helmbroker.broker.migration.everything import migrate
from helmbroker.broker.migration.staging import Stager
from helmbroker.broker.migration.taking import Outcome, Taking, Verdict
from helmbroker.broker.service.offered import Offered
from helmbroker.broker.settings import Settings
from helmbroker.broker.store.store import SqlStore
from helmbroker.sealing import Keys


@click.command("migrate-drycc")
@click.argument("directory", type=click.Path(path_type=Path))
@click.option("--valkey", type=click.Path(path_type=Path), help="Its keys in Valkey as JSON; they win over files.")
@click.option("--dry-run", is_flag=True, help="Say what would become of each instance, and change nothing.")
@printing.option
@with_settings_or(2)
def migrate_drycc(settings: Settings, *, directory: Path, valkey: Path | None, dry_run: bool, output: str) -> None:
    """Make records of the instances in DIRECTORY, the data directory of Drycc's helmbroker, which is stopped.

    Their Helm releases run on untouched: they get labels. What has a record stays as it is: run it again and again.
    Exit status: 0 nothing is left to be done, 1 instances are left with a reason, 2 it cannot be tried.

    \b
    Examples:
      helmbroker migrate-drycc /etc/helmbroker --dry-run
      helmbroker migrate-drycc /etc/helmbroker --valkey valkey.json -o json
    """
    try:
        data = DataDirectory(directory, valkey)
    except BadDirectory as error:
        stop(str(error))
    left = False
    with opened_store(settings, 2) as store, tempfile.TemporaryDirectory() as folder:
        taking, stager = _taking(settings, store, Path(folder), dry_run=dry_run), _stager(settings, store, data)
        for outcome in migrate(data, stager, taking):
            _show(outcome, output)
            left = left or outcome.verdict is Verdict.LEFT
    if dry_run:
        click.echo("This was a dry run: nothing is changed.", err=True)
    sys.exit(1 if left else 0)


COMMANDS = (migrate_drycc,)


def _taking(settings: Settings, store: SqlStore, folder: Path, *, dry_run: bool) -> Taking:
    return Taking(
        store,
        wiring.make_cluster(settings),
        wiring.make_takeover(settings),
        wiring.make_helm(settings, folder),
        Keys.load(settings.keys_file),
        wiring.read_overrides(settings),
        wiring.read_grants(settings),
        dry_run,
    )


def _stager(settings: Settings, store: SqlStore, data: DataDirectory) -> Stager:
    offered = Offered(store, catalog_wiring.make_revisions(settings, store))
    offered.look()
    return Stager(offered(), data.addons, settings.legacy)


def _show(outcome: Outcome, output: str) -> None:
    if output == printing.Output.JSON:
        line = {"instance": outcome.instance_id, "verdict": outcome.verdict, "detail": outcome.detail}
        click.echo(json.dumps({**line, "notes": list(outcome.notes)}))
        return
    click.echo(f"{outcome.verdict:<9} instance {_printable(outcome.instance_id)}: {outcome.detail}")
    for note in outcome.notes:
        click.echo(f"          note: {note}")


def _printable(text: str) -> str:
    """Names of folders are whatever somebody has made."""
    return text if text.isprintable() else repr(text)
