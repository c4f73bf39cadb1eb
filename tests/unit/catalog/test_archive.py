"""Addon archives: the same bytes for the same files, and nothing harmful unpacked."""

from __future__ import annotations

import gzip
import io
import os
import stat
import tarfile
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helmbroker.catalog import archive
from helmbroker.catalog.archive import BadArchive, digest, pack, unpack

names = st.from_regex(r"[a-zé. -]{1,20}", fullmatch=True).filter(lambda name: set(name) != {"."})
trees = st.dictionaries(st.lists(names, min_size=1, max_size=3).map("/".join), st.binary(max_size=50), max_size=5)


def write(folder: Path, tree: dict[str, bytes]) -> bool:
    """Whether the tree can be a folder: no file is also a folder."""
    for name, content in tree.items():
        try:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        except OSError:
            return False
    return True


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@settings(max_examples=30, deadline=None)
@given(trees)
def test_what_is_packed_is_unpacked_and_has_the_same_digest(tree: dict[str, bytes]) -> None:
    with TemporaryDirectory() as place:
        source, target = Path(place, "source"), Path(place, "target")
        source.mkdir()
        target.mkdir()
        if not write(source, tree):
            return
        packed = pack(source)
        unpack(packed, target)
        assert contents(target) == contents(source)
        assert (pack(target), digest(target)) == (packed, digest(source))


def test_an_archive_may_be_made_from_inside(tmp_path: Path) -> None:
    """Drycc: `tar -C folder .`, so all begins with ./"""
    write(tmp_path / "source", {"meta.yaml": b"a", "plans/small/meta.yaml": b"b"})
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w:gz") as made:
        made.add(tmp_path / "source", ".")
        assert "./plans/small/meta.yaml" in made.getnames()
    unpack(raw.getvalue(), tmp_path / "target")
    assert contents(tmp_path / "target") == contents(tmp_path / "source")


def test_times_and_modes_and_the_order_of_writing_do_not_count(tmp_path: Path) -> None:
    for place, order in ((tmp_path / "a", "xy"), (tmp_path / "b", "yx")):
        place.mkdir()
        for name in order:
            (place / name).write_text(name)
    os.utime(tmp_path / "b/x", (0, 0))
    (tmp_path / "b/x").chmod(0o700)
    assert digest(tmp_path / "a") == digest(tmp_path / "b")
    assert pack(tmp_path / "a") == pack(tmp_path / "b")


def test_the_digest_never_changes() -> None:
    """Instances pin it for ever: another way of counting would orphan them."""
    with TemporaryDirectory() as place:
        write(Path(place), {"a.yaml": b"a: 1\n", "chart/b": b""})
        assert digest(Path(place)) == "7f30948cfda9fcf423bfb53fef17aae53ec70ffce1e6abc573640b67901d1c0b"


DIFFERENT = [
    ({"a": b"x"}, {"a": b"y"}),
    ({"a": b"x"}, {"b": b"x"}),
    ({"ab": b"c"}, {"a": b"bc"}),
    ({"a": b"", "b": b""}, {"a": b""}),
    ({"a/b": b""}, {"ab": b""}),
]


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_different_files_have_different_digests(
    tmp_path: Path, one: dict[str, bytes], other: dict[str, bytes]
) -> None:
    write(tmp_path / "one", one)
    write(tmp_path / "other", other)
    assert digest(tmp_path / "one") != digest(tmp_path / "other")


SPECIAL: dict[str, Callable[[Path], object]] = {
    "a link to a file": lambda path: path.symlink_to("/etc/passwd"),
    "a link to a folder": lambda path: path.symlink_to("/etc"),
    "a link to nothing": lambda path: path.symlink_to("nothing"),
    "a pipe": os.mkfifo,
}


@pytest.mark.parametrize("make", SPECIAL.values(), ids=SPECIAL)
def test_a_folder_with_anything_but_plain_files_is_refused(tmp_path: Path, make: Callable[[Path], object]) -> None:
    make(tmp_path / "x")
    with pytest.raises(BadArchive, match=r"^x is a link or a special file; addons hold plain files only$"):
        pack(tmp_path)


def test_a_folder_that_is_too_large_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(archive.MAX_BYTES + 1)
    with pytest.raises(BadArchive, match=f"more than {archive.MAX_FILES} files or {archive.MAX_BYTES} bytes"):
        digest(tmp_path)


def test_a_file_name_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"\xff")).write_bytes(b"")
    with pytest.raises(BadArchive, match="use printable UTF-8"):
        digest(tmp_path)


Member = tuple[str, bytes, bytes]  # name, type, content


def tar(*members: Member, link: str = "") -> bytes:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT) as made:
        for name, kind, content in members:
            member = tarfile.TarInfo(name)
            member.type, member.size, member.linkname = kind, len(content), link
            made.addfile(member, io.BytesIO(content))
    return gzip.compress(raw.getvalue())


def long_header() -> bytes:
    """A header that claims to be huge, as a decompression bomb against whoever reads it whole."""
    raw = tarfile.TarInfo("pax")
    raw.type, raw.size = tarfile.XHDTYPE, 30 << 20
    return gzip.compress(raw.tobuf(tarfile.USTAR_FORMAT) + bytes(30 << 20), 1)


def zipped(*names: str, content: bytes = b"", kind: int = 0, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    raw = io.BytesIO()
    with warnings.catch_warnings(action="ignore"), zipfile.ZipFile(raw, "w") as made:  # of a name twice
        for name in names:
            entry = zipfile.ZipInfo(name)
            entry.external_attr, entry.compress_type = (kind | 0o644) << 16, method
            made.writestr(entry, content)
    return raw.getvalue()


def changed(packed: bytes, at: int, value: bytes) -> bytes:
    """The bytes with others from there on, counted from the central directory."""
    start = packed.index(b"PK\x01\x02") + at
    return packed[:start] + value + packed[start + len(value) :]


FILE, FOLDER = tarfile.REGTYPE, tarfile.DIRTYPE
HARMFUL: dict[str, tuple[Callable[[], bytes], str]] = {
    "up": (lambda: tar(("../x", FILE, b"")), "'../x' is a link, a device or a path that leads outside"),
    "up from inside": (lambda: tar(("a/../../x", FILE, b"")), "leads outside"),
    "from the root": (lambda: tar(("/etc/x", FILE, b"")), "leads outside"),
    "a folder up": (lambda: tar(("../x", FOLDER, b"")), "leads outside"),
    "a link": (lambda: tar(("x", tarfile.SYMTYPE, b""), link="/etc/passwd"), "is a link"),
    "a hard link": (lambda: tar(("x", tarfile.LNKTYPE, b""), link="/etc/passwd"), "is a link"),
    "a device": (lambda: tar(("x", tarfile.CHRTYPE, b"")), "a device"),
    "a pipe": (lambda: tar(("x", tarfile.FIFOTYPE, b"")), "a device"),
    "a newline in a name": (lambda: tar(("a\nb", FILE, b"")), "leads outside"),
    "a long name": (lambda: tar(("x" * 300, FILE, b"")), "leads outside"),
    "the folder itself": (lambda: tar((".", FILE, b"")), "'.' is a file and a folder"),
    "a file as folder": (lambda: tar(("a", FILE, b""), ("a/b", FILE, b"")), "'a' is a file and a folder"),
    "a folder as file": (lambda: tar(("a/b", FILE, b""), ("a", FILE, b"")), "'a' is a file and a folder"),
    "a file twice": (lambda: tar(("a", FILE, b"1"), ("a", FILE, b"2")), "'a' is there twice"),
    "many files": (
        lambda: tar(*((f"{n}", FILE, b"") for n in range(archive.MAX_FILES + 1))),
        "more than 2000 files",
    ),
    "a bomb": (lambda: tar(("a", FILE, bytes(archive.MAX_BYTES + 1))), "or 20971520 bytes"),
    "a bomb in a header": (long_header, "or 20971520 bytes"),
    "no gzip": (lambda: b"hello", "is no gzip file, or a damaged one"),
    "gzip cut off": (lambda: tar(("a", FILE, b"hello"))[:-9], "is no gzip file, or a damaged one"),
    "gzip damaged": (lambda: tar(("a", FILE, b"hello"))[:30] + b"\xff" * 30, "is no gzip file, or a damaged one"),
    "zip: up": (lambda: zipped("../x"), "'../x' is a link, a device or a path that leads outside"),
    "zip: from the root": (lambda: zipped("/etc/x"), "leads outside"),
    "zip: a link": (lambda: zipped("x", content=b"/etc/passwd", kind=stat.S_IFLNK), "'x' is a link"),
    "zip: a device": (lambda: zipped("x", kind=stat.S_IFCHR), "a device"),
    "zip: a file twice": (lambda: zipped("a", "a"), "'a' is there twice"),
    "zip: a file as folder": (lambda: zipped("a", "a/b"), "'a' is a file and a folder"),
    "zip: many files": (lambda: zipped(*map(str, range(archive.MAX_FILES + 1))), "more than 2000 files"),
    "zip: a bomb": (lambda: zipped("a", content=bytes(archive.MAX_BYTES + 1)), "or 20971520 bytes"),
    "zip: bombs together": (lambda: zipped(*"abc", content=bytes(archive.MAX_BYTES // 2)), "or 20971520 bytes"),
    "zip: a bomb that claims to be small": (
        lambda: changed(zipped("a", content=bytes(archive.MAX_BYTES + 1)), 24, bytes(4)),
        "is no zip archive, or a damaged one",
    ),
    "zip: another compression": (lambda: zipped("a", method=zipfile.ZIP_LZMA), "by other means than deflate"),
    "zip: encrypted": (lambda: changed(zipped("a"), 8, b"\x01"), "is encrypted"),
    "zip: cut off": (lambda: zipped("a", content=b"hello")[:-9], "is no zip archive, or a damaged one"),
    "zip: damaged": (lambda: zipped("a", content=b"hello" * 9).replace(b"\xcbH", b"\xff\xff"), "a damaged one"),
    "no tar": (lambda: gzip.compress(b"hello" * 200), "is no tar archive"),
}


@pytest.mark.bug(77)
@pytest.mark.parametrize(("make", "message"), HARMFUL.values(), ids=HARMFUL)
def test_a_harmful_archive_is_refused_and_nothing_is_written(
    tmp_path: Path, make: Callable[[], bytes], message: str
) -> None:
    target = tmp_path / "inside"
    with pytest.raises(BadArchive) as refusal:
        unpack(make(), target)
    assert message in str(refusal.value)
    assert list(tmp_path.iterdir()) == []


def test_a_zip_is_unpacked_like_a_tar(tmp_path: Path) -> None:
    unpack(zipped("a", "b/c", "b/", content=b""), tmp_path / "zip")
    unpack(tar(("a", FILE, b""), ("b/c", FILE, b"")), tmp_path / "tar")
    assert contents(tmp_path / "zip") == contents(tmp_path / "tar") == {"a": b"", "b/c": b""}
