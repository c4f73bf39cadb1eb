"""Where the settings say that addons come from, and what reads and keeps them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from helmbroker.broker.service.refresh import Refresh
from helmbroker.broker.settings import CannotStart, Settings
from helmbroker.broker.store.revisions import UnpackedRevisions
from helmbroker.broker.store.store import SqlStore
from helmbroker.catalog.model import AddonFaults, Fault
from helmbroker.catalog.sources.config import read_sources
from helmbroker.catalog.sources.model import Repository, Source, SourceKind, Sources
from helmbroker.catalog.sources.reading import Before, Reading, read

_FOLDER = "addons"  # name of the source that HELMBROKER_ADDONS_DIR is


def sources(settings: Settings) -> Sources:
    """Where addons come from, as it is written down now. Raises AddonFaults."""
    written = Sources(()) if settings.sources_file is None else read_sources(settings.sources_file)
    written = replace(written, legacy=settings.legacy)
    if settings.sources_file is not None and "addons_dir" not in settings.model_fields_set:
        return written
    if any(each.name == _FOLDER for each in written.sources):
        message = f"{_FOLDER} is HELMBROKER_ADDONS_DIR; rename that source"
        raise AddonFaults([Fault(str(settings.sources_file), 0, message)])
    folder = Source(_FOLDER, SourceKind.DIRECTORY, str(settings.addons_dir))
    return replace(written, sources=(folder, *written.sources))


def repositories(settings: Settings) -> tuple[Repository, ...]:
    """Where chart dependencies are fetched, as the file of sources says. Raises CannotStart."""
    try:
        return () if settings.sources_file is None else read_sources(settings.sources_file).repositories
    except AddonFaults as error:
        raise CannotStart(str(error)) from None


def folders(settings: Settings) -> dict[str, str]:
    """Where the sources are that are folders, by name. Raises AddonFaults."""
    return {each.name: each.location for each in sources(settings).sources if each.kind is SourceKind.DIRECTORY}


def check_sources(settings: Settings) -> None:
    """Raises CannotStart when a folder is not there, or the file of sources is wrong."""
    try:
        found = sources(settings)
    except AddonFaults as error:
        raise CannotStart(str(error)) from None
    for each in found.sources:
        if each.kind is SourceKind.DIRECTORY and not Path(each.location).is_dir():
            named = "HELMBROKER_ADDONS_DIR" if each.name == _FOLDER else f"location of source {each.name}"
            raise CannotStart(f"there is no folder {each.location}; set {named}")


@contextmanager
def reading(settings: Settings) -> Iterator[Reading]:
    """What all sources have now; the folders of its catalog are there until this ends. Raises CannotStart."""
    check_sources(settings)
    with tempfile.TemporaryDirectory() as folder:
        yield read(sources(settings), Path(folder), Before())


def read_catalog(settings: Settings) -> Reading:
    """What all sources have now, kept nowhere: the folders of its catalog are gone. Raises CannotStart."""
    with reading(settings) as found:
        return found


def make_refresh(settings: Settings, store: SqlStore) -> Refresh:
    return Refresh(store, lambda: sources(settings), settings.data_dir / "sources")


def refresh_folders(settings: Settings, store: SqlStore) -> None:
    """Offer what the folders of this machine have, without any worker; all other sources are the workers'.

    Raises CannotStart, Unavailable.
    """
    try:
        make_refresh(settings, store).run(lambda source: source.kind is SourceKind.DIRECTORY)
    except AddonFaults as error:
        raise CannotStart(str(error)) from None


def make_revisions(settings: Settings, store: SqlStore) -> UnpackedRevisions:
    return UnpackedRevisions(settings.data_dir / "addon-revisions", store.packed, settings.legacy.open_parameters)
