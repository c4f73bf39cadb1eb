"""An addon folder as bytes: packed the same every time, named by its digest, unpacked safely."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from pathlib import Path

MAX_FILES = 2000
MAX_BYTES = 20 << 20  # of all files together, unpacked


class BadArchive(Exception):
    """The folder or archive is not one that we keep: too large, links, devices, paths that lead outside."""


def files(folder: Path) -> list[Path]:
    """Every file below the folder, in a stable order. Raises BadArchive for links and special files."""
    found, size = [], 0
    for path in sorted(folder.rglob("*"), key=lambda path: path.relative_to(folder).parts):
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise BadArchive(
                f"{path.relative_to(folder)} is a link or a special file; addons hold plain files only"
            )
        if path.is_file():
            found.append(path)
            size += path.stat().st_size
        if len(found) > MAX_FILES or size > MAX_BYTES:
            raise BadArchive(f"the addon has more than {MAX_FILES} files or {MAX_BYTES} bytes")
    return found


def digest(folder: Path) -> str:
    """sha256 over the names and contents of all files: 64 hex digits. Modes and times do not count."""
    total = hashlib.sha256()
    for path in files(folder):
        name = path.relative_to(folder).as_posix().encode()
        content = hashlib.sha256(path.read_bytes()).digest()
        total.update(len(name).to_bytes(4, "big") + name + content)
    return total.hexdigest()


def pack(folder: Path) -> bytes:
    """A gzipped tar of the folder, byte for byte the same for the same files."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path in files(folder):
            content = path.read_bytes()
            member = tarfile.TarInfo(path.relative_to(folder).as_posix())
            member.size, member.mode = len(content), 0o644
            tar.addfile(member, io.BytesIO(content))
    return gzip.compress(raw.getvalue(), mtime=0)


def unpack(packed: bytes, folder: Path) -> None:
    """Write the files below `folder`, which must not exist. Raises BadArchive before anything harmful."""
    with tarfile.open(fileobj=io.BytesIO(packed), mode="r:gz") as tar:
        count = size = 0
        for member in tar:
            count, size = count + 1, size + member.size
            if count > MAX_FILES or size > MAX_BYTES:
                raise BadArchive(f"the archive has more than {MAX_FILES} files or {MAX_BYTES} bytes")
            inside = Path(member.name)
            if inside.is_absolute() or ".." in inside.parts or not (member.isfile() or member.isdir()):
                raise BadArchive(f"{member.name!r} is a link, a device or a path that leads outside")
            if member.isdir():
                continue
            content = tar.extractfile(member)
            assert content is not None  # noqa: S101  # a regular file has content
            target = folder / inside
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content.read())
