"""`export` and `import`: all records of the bridge as one file."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

import click

from helmbroker import output as printing
from helmbroker.controller_bridge.settings import Settings, SetupError
from helmbroker.runtime.files import new_private


def add_to(main: click.Group, with_settings: Callable[..., Any]) -> None:
    """with_settings: passes the program's settings; SetupError becomes a sentence and status 1."""
    file = click.Path(path_type=Path)
    main.command("export")(click.argument("file", required=False, type=file)(with_settings(export_all)))
    main.command("import")(click.argument("file", type=file)(printing.option(with_settings(import_file))))


def export_all(settings: Settings, *, file: Path | None) -> None:
    """Write all records as lines of JSON to FILE, which must not be there yet, or to the standard output.

    What is sealed stays sealed: the key ring is needed to read it again, and is not part of it. Not while there are
    operations that have not ended.

    \b
    Example:
      helmbroker-bridge export records.jsonl
    """
    from helmbroker.controller_bridge import transfer, wiring  # noqa: PLC0415  # heavy, as in `cli`

    with wiring.opened_store(settings) as store:
        found = transfer.export(store)
        first = next(found)  # nothing is made if there is a reason not to
        with made(file) as output:
            output.writelines(f"{line}\n" for line in chain([first], found))


def import_file(settings: Settings, *, file: Path, output: str) -> None:
    """Bring what was exported to FILE into an empty database. Stop API and workers first.

    The key ring must be that of then, and the program of the same version.

    \b
    Example:
      HELMBROKER_BRIDGE_DATABASE_URL=postgresql://bridge@db/bridge helmbroker-bridge import records.jsonl
    """
    from helmbroker.controller_bridge import sealing, transfer, wiring  # noqa: PLC0415

    try:
        with file.open(encoding="utf-8") as lines, wiring.opened_store(settings) as store:
            numbers = transfer.import_all(store, sealing.load(settings.keys_file).keys, lines)
    except OSError as error:
        raise SetupError(f"{file} cannot be read: {error.strerror}") from None
    rows = [{"table": name, "rows": number} for name, number in numbers.items()]
    printing.rows(rows, ("table", "rows"), output)


@contextmanager
def made(file: Path | None) -> Iterator[Any]:
    """A new file of the user's alone, or the standard output. Raises SetupError; then there is no file."""
    if file is None:
        yield sys.stdout
        return
    try:
        with new_private(file) as output:
            yield output
    except OSError as error:
        raise SetupError(f"{file} cannot be written: {error.strerror}") from None
