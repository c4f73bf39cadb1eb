"""An addon as the broker would keep it: what Helm would refuse of other formats is mended."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from helmbroker.catalog import archive, formats
from helmbroker.catalog.model import Addon


@contextmanager
def revised(path: Path) -> Iterator[Addon]:
    """The addon of a folder; it lies elsewhere when something of it is mended. Raises AddonFaults, OSError."""
    addon = formats.load(path)
    if not addon.mended:
        yield addon
        return
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / addon.folder.name
        archive.unpack(archive.pack(path, addon.mended), folder)
        yield replace(addon, folder=folder)
