"""An addon as others get it, and as the broker would keep it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from helmbroker.catalog import archive, formats
from helmbroker.catalog.model import Addon, AddonFaults, Fault, Severity
from helmbroker.catalog.sources.dependencies import LOCK, vendor
from helmbroker.catalog.sources.model import Repository, SourceError


def whole(path: Path, place: Path, repositories: Sequence[Repository]) -> Addon:
    """A copy of the addon below `place`, an empty folder, with all that its charts depend on: as it is published.

    Raises AddonFaults: also for what cannot be fetched; OSError.
    """
    formats.load(path)  # what is wrong with the files comes before what is wrong with the network
    folder = place / (path.resolve().name or "addon")
    archive.unpack(archive.pack(path), folder)
    try:
        told = vendor(folder, repositories)
    except SourceError as error:
        raise AddonFaults([Fault("chart", 0, error.message)]) from None
    addon = formats.load(folder)
    return replace(addon, warnings=(*addon.warnings, *(Fault(LOCK, 0, text, Severity.WARNING) for text in told)))


def revised(path: Path, place: Path, repositories: Sequence[Repository]) -> Addon:
    """As `whole`, with what Helm would refuse of other formats mended: as the broker keeps it."""
    addon = whole(path, place, repositories)
    for name, content in addon.mended.items():
        if content is None:
            (addon.folder / name).unlink()
        else:
            (addon.folder / name).write_bytes(content)
    return addon
