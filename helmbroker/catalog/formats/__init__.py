"""The addon formats: each turns its files into the one model. Which one a folder has, its files tell."""

from __future__ import annotations

from pathlib import Path

from helmbroker.catalog import documents
from helmbroker.catalog.documents import Unreadable
from helmbroker.catalog.formats import drycc, foreign, kyma, native
from helmbroker.catalog.formats.reading import Reading
from helmbroker.catalog.model import STRICT, Addon, Legacy

FILES = (native.FILE, foreign.FILE)


def is_addon(folder: Path) -> bool:
    """Whether a folder holds an addon of any format, good or bad."""
    return any((folder / name).is_file() for name in FILES)


def load(folder: Path, legacy: Legacy = STRICT) -> Addon:
    """Read an addon folder. Raises AddonFaults with everything that is wrong with it; OSError."""
    if (folder / native.FILE).exists() or not (folder / foreign.FILE).exists():
        return native.load(folder)
    reading = Reading(folder, foreign.FILE)
    try:
        data = documents.read(folder / foreign.FILE, foreign.FILE).data
    except Unreadable:
        data = None  # whoever loads it says so
    if drycc.is_one(reading.names, data if isinstance(data, dict) else ()):
        return drycc.load(reading, legacy)
    return kyma.load(reading, legacy)
