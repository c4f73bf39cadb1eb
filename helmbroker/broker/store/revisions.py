"""Pinned addon revisions, unpacked on this machine when they are first needed."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from helmbroker.broker.domain.errors import Unavailable
from helmbroker.catalog import archive, formats
from helmbroker.catalog.model import Addon, Legacy

_UNFINISHED = ".unfinished-"


class UnpackedRevisions:
    """The port AddonRevisions, for any number of threads and processes.

    `cache`: a folder of ours alone; `packed`: digest -> archive, from the store; `open_parameters`: see
    catalog.model.Legacy, whose hooks are in a revision or not.
    """

    def __init__(
        self, cache: Path, packed: Callable[[str], bytes | None], open_parameters: frozenset[str] = frozenset()
    ) -> None:
        self._cache, self._packed, self._legacy = cache, packed, Legacy(open_parameters)
        self._addons: dict[str, Addon] = {}
        self._lock = threading.Lock()

    def addon(self, digest: str) -> Addon:
        """Raises Unavailable while the disk cannot be written: a full one is cleared some day."""
        with self._lock:
            known = self._addons.get(digest)
            if known is None or not known.folder.is_dir():  # it may have been cleared away under us
                try:
                    known = self._addons[digest] = formats.load(self._folder(digest), self._legacy)
                except OSError as error:
                    raise Unavailable(
                        f"The broker cannot unpack an addon on its disk: {error.strerror}. "
                        "Free space in its data directory, or make it writable."
                    ) from error
            return known

    def _folder(self, digest: str) -> Path:
        folder = self._cache / digest
        if _intact(folder, digest):
            return folder
        packed = self._packed(digest)
        if packed is None:
            raise LookupError(f"addon revision {digest} is not in the database")
        self._cache.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _alone(self._cache):
            if not _intact(folder, digest):  # another process was faster
                self._unpack(packed, folder)
        return folder

    def _unpack(self, packed: bytes, folder: Path) -> None:
        for left in self._cache.glob(f"{_UNFINISHED}*"):  # of a process that died here
            shutil.rmtree(left)
        temporary = Path(tempfile.mkdtemp(dir=self._cache, prefix=_UNFINISHED))
        archive.unpack(packed, temporary)
        if folder.is_dir():
            folder.rename(Path(tempfile.mkdtemp(dir=self._cache, prefix=_UNFINISHED)))
        temporary.rename(folder)


def is_that(packed: bytes, digest: str) -> bool:
    """Whether an archive is the revision of that digest."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            archive.unpack(packed, Path(folder))
            return archive.digest(Path(folder)) == digest
        except archive.BadArchive:
            return False


def _intact(folder: Path, digest: str) -> bool:
    """Whether the cache has what was pinned: it is believed only if it still is that."""
    try:
        return folder.is_dir() and archive.digest(folder) == digest
    except (archive.BadArchive, OSError):
        return False


@contextmanager
def _alone(cache: Path) -> Iterator[None]:
    """One process at a time; the lock goes with the process that holds it."""
    lock = os.open(cache / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)
