"""Addon folders wherever they lie: found below a folder, and put in their place."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from helmbroker.catalog import archive, formats
from helmbroker.catalog.documents import Unreadable, read
from helmbroker.catalog.sources.model import Fetched, Reason, SourceError
from helmbroker.catalog.yaml_types import TextLoader

MAX_ADDONS = 500
_LONGEST = 220  # characters of a label
_DEEPEST = 2  # addons/mysql/8.0


def found(folder: Path, depth: int = _DEEPEST) -> Iterator[Path]:
    """The folder itself when it is an addon, else all addons below it, in order of name. Raises OSError."""
    if formats.is_addon(folder):
        yield folder
    elif depth:
        for entry in sorted(each for each in folder.iterdir() if each.is_dir() and each.name[:1] != "."):
            with suppress(PermissionError):  # lost+found, at the root of a volume
                yield from found(entry, depth - 1)


def identity(addon: Path) -> str | None:
    """The id that an addon says it has; None: it cannot be read."""
    for name in formats.FILES:
        if (addon / name).is_file():
            try:
                data = read(addon / name, name, TextLoader).data
            except Unreadable:
                return None
            id_ = data.get("id") if isinstance(data, dict) else None
            return id_ if isinstance(id_, str) else None
    return None


def label(folder: Path, top: Path, name: str) -> str:
    """What an addon below `top` is called; the one that is `top` itself is called `name`."""
    parts = folder.relative_to(top).parts
    return "-".join(parts) or name


def take(top: Path, into: Path, name: str, fetched: Fetched) -> None:
    """Copy every addon at or below `top` to `into`/label. Raises SourceError: too many; none; unreadable."""
    try:
        addons = list(found(top))
        if len(addons) > MAX_ADDONS:
            raise SourceError(Reason.ARCHIVE, f"there are more than {MAX_ADDONS} addons; make several sources")
        for addon in addons:
            place(addon, into, label(addon, top, name), fetched)
    except OSError as error:
        raise SourceError(Reason.FETCHING, f"{error.filename or top}: {error.strerror}") from None


def place(addon: Path, into: Path, name: str, fetched: Fetched) -> None:
    """Copy one addon folder; what cannot be kept is told of that addon alone. Raises OSError."""
    if len(name) > _LONGEST or not name.isprintable():
        raise SourceError(Reason.VALIDATION, f"{name!r} is no name for the folder of an addon; make it shorter")
    if name in fetched.labels or name in fetched.failed:
        raise SourceError(Reason.VALIDATION, f"two addons would be called {name}; rename a folder")
    try:
        for file in archive.entries(addon):
            target = into / name / file
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(addon / file, target)
        fetched.labels.append(name)
    except archive.BadArchive as error:
        fetched.failed[name] = SourceError(Reason.ARCHIVE, str(error))


def only(folder: Path) -> Path:
    """The folder that everything in it lies in, if there is one; else itself. Archives are made both ways."""
    entries = list(folder.iterdir()) if folder.is_dir() else []
    single = len(entries) == 1 and entries[0].is_dir()
    return entries[0] if single else folder


def unpacked(packed: bytes, into: Path) -> None:
    """Write an archive's files below `into`. Raises SourceError."""
    try:
        archive.unpack(packed, into)
    except archive.BadArchive as error:
        raise SourceError(Reason.ARCHIVE, str(error)) from None


def stem(location: str) -> str:
    """The name of an archive without what tells its kind."""
    name = location.partition("?")[0].rstrip("/").rpartition("/")[2]
    for ending in (".tar.gz", ".tgz", ".zip"):
        name = name.removesuffix(ending)
    return name or "addon"
