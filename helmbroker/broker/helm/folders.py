"""Folders that a command of helm is given and that are gone when it has ended."""

from __future__ import annotations

import errno
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from helmbroker.broker.domain.helm_errors import HelmError, HelmFault

_STALE_S = 3600.0


@contextmanager
def temporary(folder: Path) -> Iterator[Path]:
    """A new folder below `folder`, for as long as it is needed. Raises HelmError."""
    try:
        folder.mkdir(exist_ok=True, mode=0o700)
        _remove_stale(folder)
        made = tempfile.TemporaryDirectory(dir=folder)
    except OSError as error:
        raise from_os(error, folder) from error
    with made as place:
        yield Path(place)


def from_os(error: OSError, path: Path) -> HelmError:
    """What it means that a file of a chart cannot be read or written."""
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    return HelmError(HelmFault.STORAGE if full else HelmFault.CHART, f"{path.name}: {error.strerror}")


def _remove_stale(folder: Path) -> None:
    """What workers that were killed left here; what others use now is younger."""
    for path in folder.iterdir():
        with suppress(FileNotFoundError):
            if time.time() - path.stat().st_mtime > _STALE_S:
                shutil.rmtree(path, ignore_errors=True)
