"""An addon folder as bytes: packed the same every time, named by its digest, unpacked safely."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import TypeAlias

MAX_FILES = 2000
MAX_BYTES = 20 << 20  # of all files together, unpacked
_MAX_TAR_BYTES = MAX_BYTES + MAX_FILES * 4096  # with the headers and the padding of every file
_MAX_NAME_BYTES = 255  # of one part of a path, as file systems have it
_ZIP = b"PK"
_ENCRYPTED = 0x1  # bit of a zip entry's flags
_PLAIN = frozenset({0, stat.S_IFREG, stat.S_IFDIR})  # kinds of zip entries; 0: made where there are no others
_READ = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})

_TOO_MUCH = f"the archive has more than {MAX_FILES} files or {MAX_BYTES} bytes"
_Member: TypeAlias = tuple[str, bytes | None]  # name, content of a file; a folder has none
Mended: TypeAlias = Mapping[str, bytes | None]
NO_CHANGE: Mended = MappingProxyType({})


class BadArchive(Exception):
    """The folder or archive is not one that we keep: too large, links, devices, paths that lead outside."""


def entries(folder: Path) -> dict[str, os.stat_result]:
    """Every file below the folder, in a stable order. Raises BadArchive for links and special files; OSError."""
    found: dict[str, os.stat_result] = {}
    size = 0
    waiting = [(folder, "")]
    while waiting:
        at, prefix = waiting.pop()
        with os.scandir(at) as inside:
            for entry in inside:
                name = f"{prefix}{entry.name}"
                plain_folder = entry.is_dir(follow_symlinks=False)
                if not plain_folder and not entry.is_file(follow_symlinks=False):
                    raise BadArchive(f"{name} is a link or a special file; addons hold plain files only")
                if not name.isprintable():
                    raise BadArchive(f"{name!r} is no name for a file of an addon; use printable UTF-8")
                if plain_folder:
                    waiting.append((Path(entry.path), f"{name}/"))
                else:
                    found[name] = entry.stat(follow_symlinks=False)
                    size += found[name].st_size
                if len(found) > MAX_FILES or len(waiting) > MAX_FILES or size > MAX_BYTES:
                    raise BadArchive(
                        f"the addon has more than {MAX_FILES} files or {MAX_BYTES} bytes; move some out"
                    )
    return dict(sorted(found.items(), key=lambda item: item[0].split("/")))


def contents(folder: Path, mended: Mended = NO_CHANGE) -> Iterator[tuple[str, bytes]]:
    """Names and contents of all files; `mended` has other contents of some, None for those left out, and more."""
    for name in sorted({*entries(folder), *mended}, key=lambda path: path.split("/")):
        content = mended[name] if name in mended else (folder / name).read_bytes()
        if content is not None:
            yield name, content


def digest(folder: Path, mended: Mended = NO_CHANGE) -> str:
    """sha256 over the names and contents of all files: 64 hex digits. Modes and times do not count."""
    total = hashlib.sha256()
    for path, content in contents(folder, mended):
        name = path.encode()
        total.update(len(name).to_bytes(4, "big") + name + hashlib.sha256(content).digest())
    return total.hexdigest()


def pack(folder: Path, mended: Mended = NO_CHANGE) -> bytes:
    """A gzipped tar of the folder, byte for byte the same for the same files."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, content in contents(folder, mended):
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o644
            tar.addfile(member, io.BytesIO(content))
    return gzip.compress(raw.getvalue(), mtime=0)


def unpack(packed: bytes, folder: Path) -> None:
    """Write the files of a gzipped tar or a zip below `folder`, an empty one or none yet.

    Raises BadArchive, and then has written nothing.
    """
    found = _contents(_zipped(packed) if packed.startswith(_ZIP) else _tarred(packed))
    for path, content in found.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)


def _tarred(packed: bytes) -> Iterator[_Member]:
    try:
        with tarfile.open(fileobj=io.BytesIO(_decompressed(packed)), mode="r:") as tar:
            for member in tar:
                if not (member.isfile() or member.isdir()):
                    raise _special(member.name)
                content = tar.extractfile(member)
                yield member.name, None if content is None else content.read()
    except (tarfile.TarError, ValueError) as error:
        raise BadArchive(f"is no tar archive: {error}") from None


def _zipped(packed: bytes) -> Iterator[_Member]:
    """What an entry claims of its size is not believed: never more is read than all may have together."""
    left = MAX_BYTES
    try:
        with zipfile.ZipFile(io.BytesIO(packed)) as opened:
            for member in opened.infolist():
                if stat.S_IFMT(member.external_attr >> 16) not in _PLAIN:
                    raise _special(member.filename)
                if member.flag_bits & _ENCRYPTED or member.compress_type not in _READ:
                    raise BadArchive(f"{member.filename!r} is encrypted, or compressed by other means than deflate")
                with opened.open(member) as stream:
                    content = None if member.is_dir() else stream.read(left + 1)
                left -= len(content or b"")
                if left < 0:
                    raise BadArchive(_TOO_MUCH)
                yield member.filename, content
    except (zipfile.BadZipFile, zlib.error, ValueError, EOFError, NotImplementedError) as error:
        raise BadArchive(f"is no zip archive, or a damaged one: {error}") from None


def _decompressed(packed: bytes) -> bytes:
    """Bounded before tarfile sees it: also its headers could ask for any amount of memory."""
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(packed)) as stream:
            raw = stream.read(_MAX_TAR_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise BadArchive(f"is no gzip file, or a damaged one: {error}") from None
    if len(raw) > _MAX_TAR_BYTES:
        raise BadArchive(_TOO_MUCH)
    return raw


def _contents(members: Iterator[_Member]) -> dict[PurePosixPath, bytes]:
    contents: dict[PurePosixPath, bytes] = {}
    folders = {PurePosixPath()}
    size = 0
    for name, content in members:
        path = PurePosixPath(name)
        if not _inside(path):
            raise _special(name)
        size += len(content or b"")
        if len(contents) >= MAX_FILES or size > MAX_BYTES:
            raise BadArchive(_TOO_MUCH)
        folders |= set(path.parents) | ({path} if content is None else set())
        if content is not None:
            if path in contents:
                raise BadArchive(f"{name!r} is there twice")
            contents[path] = content
    both = sorted(map(str, folders & contents.keys()))
    if both:
        raise BadArchive(f"{both[0]!r} is a file and a folder")
    return contents


def _special(name: str) -> BadArchive:
    return BadArchive(f"{name!r} is a link, a device or a path that leads outside")


def _inside(path: PurePosixPath) -> bool:
    parts = path.parts
    small = all(len(part.encode(errors="replace")) <= _MAX_NAME_BYTES for part in parts)
    return small and not path.is_absolute() and ".." not in parts and str(path).isprintable()
