"""The addon formats: each turns its files into the one model. Which one a folder has, its files tell."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from helmbroker.catalog import archive, documents
from helmbroker.catalog.documents import Unreadable
from helmbroker.catalog.formats import drycc, foreign, kyma, native
from helmbroker.catalog.formats.reading import Reading
from helmbroker.catalog.model import STRICT, Addon, Legacy

FILES = (native.FILE, foreign.FILE)


def is_addon(folder: Path) -> bool:
    """Whether a folder holds an addon of any format, good or bad."""
    return any((folder / name).is_file() for name in FILES)


def raw_digest(folder: Path, legacy: Legacy) -> str:
    """Of a folder as its source has it, and of the image that its hooks are to run in.

    Raises archive.BadArchive, OSError.
    """
    image = legacy.hooks.get(str(_meta(folder).get("name"))) if legacy.hooks else None
    return archive.digest(folder, {} if image is None else {"image of hooks": image.encode()})


def load(folder: Path, legacy: Legacy = STRICT) -> Addon:
    """Read an addon folder. Raises AddonFaults with everything that is wrong with it; OSError."""
    if (folder / native.FILE).exists() or not (folder / foreign.FILE).exists():
        return native.load(folder)
    reading = Reading(folder, foreign.FILE)
    if drycc.is_one(reading.names, _meta(folder)):
        return drycc.load(reading, legacy)
    return kyma.load(reading, legacy)


def _meta(folder: Path) -> dict[str, Any]:
    """What meta.yaml holds, scalars at the top as they are written. Whoever loads it says why there is nothing."""
    if not (folder / foreign.FILE).is_file():
        return {}
    try:
        document = documents.read(folder / foreign.FILE, foreign.FILE)
    except Unreadable:
        return {}
    return {**document.data, **document.texts} if isinstance(document.data, dict) else {}
