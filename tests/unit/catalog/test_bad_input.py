"""Files made to hurt, or by chance: whatever reads addons says which file is wrong, never with a traceback."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helmbroker.catalog import archive, formats
from helmbroker.catalog.model import AddonFaults, Fault
from tests.unit.catalog import folders, foreign_folders
from tests.unit.catalog.foreign_folders import DRYCC, KYMA

FORMATS = {"native": folders.FILES, "drycc": DRYCC, "kyma": KYMA}
_HURTING = st.sampled_from(
    [
        *(b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"\x1b", b"\r", b"\t", b"\xed\xa0\x80", b"\xe9"),
        *(
            b"{{",
            b"}}",
            b"{",
            b"[",
            b"*a ",
            b"&a ",
            b"<<: ",
            b"---\n",
            b"...\n",
            b"|\n",
            b"? ",
            b": ",
            b"%",
            b'"',
            b"'",
        ),
        *(
            b"!!python/object/apply:os.system ",
            b"!!binary ",
            b"!!set ",
            b"- - - ",
            b"1e999",
            b".inf",
            b"0x",
            b"null",
        ),
        *(b"$ref", b"../"),
    ]
)
_FILES = [(name, file) for name, files in FORMATS.items() for file in files]
FILES = {file for _, file in _FILES} | {"chart", "plans", "plans/"}


def _read(folder: Path) -> None:
    """Either it is an addon, or it says why not, with a file of its own in every fault."""
    for fault in _faults(folder):
        assert fault.file in FILES or "missing" in fault.message
        assert "\n" not in str(fault)


def _faults(folder: Path) -> tuple[Fault, ...]:
    try:
        return formats.load(folder).warnings
    except AddonFaults as error:
        return error.faults or (Fault("nothing is wrong, but it is no addon", 0, ""),)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(_FILES), st.lists(st.tuples(st.floats(0, 1), _HURTING | st.binary(max_size=8)), max_size=4))
def test_no_change_of_a_file_upsets_a_reader(place: tuple[str, str], changes: list[tuple[float, bytes]]) -> None:
    name, file = place
    content = FORMATS[name][file].encode()
    for where, what in changes:
        at = int(where * len(content))
        content = content[:at] + what + content[at + len(what) // 2 :]
    with tempfile.TemporaryDirectory() as made:
        foreign_folders.write(Path(made), FORMATS[name])
        (Path(made) / file).write_bytes(content)
        _read(Path(made))


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(_FILES), st.binary(max_size=300) | st.text(max_size=200).map(lambda text: text.encode()))
def test_no_content_of_a_file_upsets_a_reader(place: tuple[str, str], content: bytes) -> None:
    name, file = place
    with tempfile.TemporaryDirectory() as made:
        foreign_folders.write(Path(made), FORMATS[name])
        (Path(made) / file).write_bytes(content)
        _read(Path(made))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_no_damage_of_an_archive_upsets_who_unpacks_it(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as made:
        packed = bytearray(archive.pack(foreign_folders.write(Path(made) / "a", KYMA)))
        for at, byte in data.draw(
            st.dictionaries(st.integers(0, len(packed) - 1), st.integers(0, 255), max_size=6)
        ).items():
            packed[at] = byte
        damaged = bytes(packed[: data.draw(st.integers(0, len(packed)))])
        with suppress(archive.BadArchive):
            archive.unpack(damaged, Path(made) / "b")
            assert (Path(made) / "b").is_dir()
            return
        assert not (Path(made) / "b").exists()


@pytest.mark.parametrize("place", _FILES, ids="-".join)
@pytest.mark.parametrize("instead", ["a folder", "a link", "a pipe"])
def test_what_is_no_file_is_never_opened(tmp_path: Path, place: tuple[str, str], instead: str) -> None:
    name, file = place
    path = foreign_folders.write(tmp_path, FORMATS[name]) / file
    path.unlink()
    match instead:
        case "a folder":
            path.mkdir()
            (path / "inner").write_text("")
        case "a link":
            path.symlink_to("/dev/zero")
        case "a pipe":
            os.mkfifo(path)
    _read(tmp_path)
