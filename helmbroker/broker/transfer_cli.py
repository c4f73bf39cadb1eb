"""`helmbroker export` and `helmbroker import`: all records as one file."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import NoReturn

import click

from helmbroker.broker import wiring
from helmbroker.broker.command import folders, with_settings
from helmbroker.broker.domain.errors import Unavailable
from helmbroker.broker.service.restore import Refused
from helmbroker.broker.service.transfer import export, import_all
from helmbroker.broker.settings import Settings
from helmbroker.sealing import Keys


@click.command("export")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@with_settings
def export_all(settings: Settings, *, file: Path | None) -> None:
    """Write all records as JSON to FILE, which must not be there yet, or to the standard output.

    What is sealed stays sealed: the key ring is needed to read it again, and is not part of it.
    """
    with folders(settings):
        store = wiring.make_store(settings)
    try:
        text = export(store, Keys.load(settings.keys_file), store.packed)
    except (Refused, Unavailable) as error:
        _give_up(error)
    finally:
        store.close()
    if file is None:
        click.echo(text, nl=False)
        return
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as made:
        made.write(text)


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@with_settings
def import_file(settings: Settings, *, file: Path) -> None:
    """Bring what was exported to FILE into an empty database. Stop API and workers first.

    The key ring must be that of then.
    """
    text = file.read_text("utf-8")
    with folders(settings):
        store = wiring.make_store(settings)
    try:
        restored = import_all(store, Keys.load(settings.keys_file), text)
    except (Refused, Unavailable) as error:
        _give_up(error)
    finally:
        store.close()
    for each in restored.done:
        click.echo(f"imported  {each}")


COMMANDS = (export_all, import_file)


def _give_up(error: Refused | Unavailable) -> NoReturn:
    text = error.description if isinstance(error, Unavailable) else str(error)
    click.echo(f"helmbroker: {text}", err=True)
    sys.exit(1)
