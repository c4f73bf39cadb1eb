"""Things that are built once and kept, named by the hash of all that went into them."""

import fcntl
import hashlib
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

HASH_DIGITS = 16


def digest(inputs: Mapping[str, bytes | str]) -> str:
    """Hash of named inputs, independent of their order; no two different mappings give the same text to hash."""
    total = hashlib.sha256()
    for name in sorted(inputs):
        value = inputs[name]
        content = value.encode() if isinstance(value, str) else value
        for part in (name.encode(), content):
            total.update(len(part).to_bytes(8, "big"))
            total.update(part)
    return total.hexdigest()[:HASH_DIGITS]


def tree(root: Path, *, compiled: bool = False) -> dict[str, bytes]:
    """Every file below a directory, or the file itself: relative path (`*` appended when executable) to content.

    Python that was compiled by the way is left out: it comes and goes without anybody's doing.
    """
    found: dict[str, bytes] = {}
    for path in sorted(root.rglob("*")) if root.is_dir() else [root]:
        if path.is_file() and (compiled or "__pycache__" not in path.parts):
            executable = "*" if path.stat().st_mode & 0o100 else ""
            found[path.relative_to(root).as_posix() + executable] = path.read_bytes()
    return found


@contextmanager
def locked(path: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Hold an exclusive lock on a file, made if needed; calls `waiting` once when another process has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


class Cache:
    """Directories `<what>-<hash>`: either complete or not there."""

    def __init__(self, root: Path, say: Callable[[str], None]) -> None:
        self.root = root
        self._say = say

    def path(self, what: str, inputs: str) -> Path:
        """Where a thing is, or would be."""
        return self.root / f"{what}-{inputs}"

    def ensure(self, what: str, inputs: str, build: Callable[[Path], None]) -> Path:
        """The directory of a thing; built first, by `build(directory)`, when it is not there.

        A build happens in a directory that is renamed at its end, so a broken one never counts; what a killed one
        left is removed by the next. Processes that want the same thing wait for each other.
        """
        final = self.path(what, inputs)
        if final.is_dir():
            return final
        with locked(self.root / "locks" / final.name, lambda: self._say(f"waiting for another build of {what}")):
            if final.is_dir():
                return final
            partial = self.root / "partial" / final.name
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(parents=True)
            try:
                build(partial)
            except BaseException:
                shutil.rmtree(partial)
                raise
            partial.rename(final)
        return final
