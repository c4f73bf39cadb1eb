"""Files that hold secrets."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO


def write_private(path: Path, text: str) -> None:
    """Replace `path` by `text` in one go; only its owner can read it."""
    new = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(descriptor)
    new.replace(path)


@contextmanager
def new_private(path: Path) -> Iterator[TextIO]:
    """A file that was not there, only for its owner. It goes again when it does not get whole. Raises OSError."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    whole = False
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            yield file
        whole = True
    finally:
        if not whole:  # nobody is to take a part for all of it
            path.unlink(missing_ok=True)
