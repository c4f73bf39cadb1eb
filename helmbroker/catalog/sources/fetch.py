"""Sources -> addon folders, fetched and verified."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from helmbroker.catalog.sources import folders
from helmbroker.catalog.sources.model import Fetched, Reason, Source, SourceError, SourceKind

NONE: Mapping[str, str] = MappingProxyType({})


def fetch(
    source: Source,
    into: Path,
    seen: str | None,
    check: Callable[[], None] = lambda: None,
    hooks: Mapping[str, str] = NONE,
) -> Fetched | None:
    """Put the addons of a source into folders of `into`. None: it has what was `seen`, and nothing was put.

    `hooks`: see Legacy; with others nothing was seen. `check` is called between two of many addons, and may raise.
    Raises SourceError: nothing of it can be had.
    """
    trust = _trust(source, hooks)
    before = seen.removeprefix(trust) if seen is not None and seen.startswith(trust) else None
    into.mkdir(parents=True, exist_ok=True)
    fetched = _fetch(source, into, before, check)
    if fetched is not None and fetched.seen is not None:
        fetched.seen = trust + fetched.seen
    return fetched


def _fetch(source: Source, into: Path, seen: str | None, check: Callable[[], None]) -> Fetched | None:
    """A process whose sources are folders alone loads no HTTP client: that is a third of its memory."""
    match source.kind:
        case SourceKind.DIRECTORY:
            return _directory(source, into, seen)
        case SourceKind.GIT:
            from helmbroker.catalog.sources.git import git_source  # noqa: PLC0415

            return git_source(source, into, seen)
        case SourceKind.OCI:
            from helmbroker.catalog.sources.artifacts import oci_source  # noqa: PLC0415

            return oci_source(source, into, seen)
        case SourceKind.ARCHIVE:
            from helmbroker.catalog.sources.archives import archive_source  # noqa: PLC0415

            return archive_source(source, into, seen)
        case SourceKind.INDEX:
            from helmbroker.catalog.sources.archives import index_source  # noqa: PLC0415

            return index_source(source, into, seen, check)


def _directory(source: Source, into: Path, seen: str | None) -> Fetched | None:
    """Unchanged as long as no file has another size or time."""
    top = Path(source.location)
    if not top.is_dir():
        raise SourceError(Reason.FETCHING, f"there is no folder {top}")
    total = hashlib.sha256()
    try:
        for path in (path for addon in folders.found(top) for path in sorted([addon, *addon.rglob("*")])):
            told = path.stat()
            total.update(os.fsencode(f"{path.relative_to(top)}\0{told.st_size}\0{told.st_mtime_ns}\0"))
    except OSError as error:
        raise SourceError(Reason.FETCHING, f"{error.filename or top}: {error.strerror}") from None
    fetched = Fetched(total.hexdigest())
    if fetched.seen == seen:
        return None
    folders.take(top, into, top.name, fetched)
    return fetched


def _trust(source: Source, hooks: Mapping[str, str]) -> str:
    """Changes with what the operator says of the source, and with the keys: then everything is verified anew."""
    keys = [path.read_bytes() if path.is_file() else b"" for path in source.access.public_keys]
    told = repr(source).encode() + b"\0".join(keys) + (repr(sorted(hooks.items())).encode() if hooks else b"")
    return hashlib.sha256(told).hexdigest()[:16] + " "
