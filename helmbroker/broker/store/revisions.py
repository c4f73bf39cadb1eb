"""Pinned addon revisions, unpacked on this machine when they are first needed."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

from helmbroker.catalog import archive
from helmbroker.catalog.formats import native
from helmbroker.catalog.model import Addon


class UnpackedRevisions:
    """The port AddonRevisions. `cache`: a folder of ours alone; `packed`: digest -> archive, from the store."""

    def __init__(self, cache: Path, packed: Callable[[str], bytes | None]) -> None:
        self._cache, self._packed = cache, packed
        self._addons: dict[str, Addon] = {}
        self._lock = threading.Lock()

    def addon(self, digest: str) -> Addon:
        with self._lock:
            if digest not in self._addons:
                self._addons[digest] = native.load(self._folder(digest))
            return self._addons[digest]

    def _folder(self, digest: str) -> Path:
        folder = self._cache / digest
        # what lies in the cache is believed only if it still is what was pinned
        if folder.is_dir() and archive.digest(folder) == digest:
            return folder
        packed = self._packed(digest)
        if packed is None:
            raise LookupError(f"addon revision {digest} is not in the database")
        self._cache.mkdir(parents=True, exist_ok=True, mode=0o700)
        temporary = Path(tempfile.mkdtemp(dir=self._cache))
        archive.unpack(packed, temporary)
        if folder.exists():
            folder.rename(Path(tempfile.mkdtemp(dir=self._cache)) / "damaged")
        temporary.rename(folder)
        return folder
