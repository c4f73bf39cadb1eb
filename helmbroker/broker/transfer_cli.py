"""`helmbroker export` and `helmbroker import`: all records as one file."""

from __future__ import annotations

from pathlib import Path

import click

from helmbroker import output as printing
from helmbroker.broker.command import WRONG, opened_store, stop, with_settings
from helmbroker.broker.service.transfer import export, import_all
from helmbroker.broker.settings import Settings
from helmbroker.runtime.files import new_private
from helmbroker.sealing import Keys


@click.command("export")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@with_settings
def export_all(settings: Settings, *, file: Path | None) -> None:
    """Write all records as JSON to FILE, which must not be there yet, or to the standard output.

    What is sealed stays sealed: the key ring is needed to read it again, and is not part of it.

    \b
    Example:
      helmbroker export records.json
    """
    with opened_store(settings, 1) as store:
        text = export(store, Keys.load(settings.keys_file), store.packed)
    if file is None:
        click.echo(text, nl=False)
        return
    try:
        with new_private(file) as made:
            made.write(text)
    except OSError as error:
        stop(f"{file} cannot be written: {error.strerror}", WRONG)


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@printing.option
@with_settings
def import_file(settings: Settings, *, file: Path, output: str) -> None:
    """Bring what was exported to FILE into an empty database. Stop API and workers first.

    The key ring must be that of then.

    \b
    Example:
      helmbroker import records.json
    """
    text = file.read_text("utf-8")
    with opened_store(settings, 1) as store:
        restored = import_all(store, Keys.load(settings.keys_file), text)
    for each in restored.done:
        printing.said({"imported": each}, f"imported  {each}", output)


COMMANDS = (export_all, import_file)
