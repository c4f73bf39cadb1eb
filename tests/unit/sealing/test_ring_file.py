"""The key ring in a file: followed while it changes, and changed by commands."""

from __future__ import annotations

import base64
import json
import logging
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from helmbroker.sealing import Key, KeyRingError, Keys, RingFile, wrapped_by


@pytest.fixture
def path(tmp_path: Path) -> Path:
    RingFile.create(tmp_path / "keys.json")
    return tmp_path / "keys.json"


def content(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def test_a_program_that_runs_opens_what_a_new_key_has_sealed(path: Path) -> None:
    running, command = Keys.load(path), RingFile(path)
    old = command.active.id
    before = running.seal(b"old", "place")
    new = command.add()
    assert wrapped_by(running.seal(b"x", "place")) == old  # added is not active
    command.activate(new)
    sealed = Keys.load(path).seal(b"new", "place")
    assert running.open(sealed, "place") == b"new"
    assert running.open(before, "place") == b"old"
    assert wrapped_by(running.seal(b"x", "place")) == new


def test_a_key_that_was_taken_off_opens_nothing_any_more(path: Path) -> None:
    running, command = Keys.load(path), RingFile(path)
    old, sealed = command.active.id, running.seal(b"old", "place")
    command.activate(command.add())
    command.remove(old)
    with pytest.raises(KeyRingError, match=f"lacks key '{old}'"):
        running.open(sealed, "place")


@pytest.mark.parametrize("broken", ["", "{}", '{"active": "x", "keys": {}}'])
def test_a_file_that_breaks_or_goes_changes_nothing_and_is_told_once(
    path: Path, caplog: pytest.LogCaptureFixture, broken: str
) -> None:
    running, text = Keys.load(path), path.read_text()
    sealed = running.seal(b"x", "place")
    path.write_text(broken)
    with caplog.at_level(logging.ERROR):
        assert [running.open(sealed, "place") for _ in range(3)] == [b"x"] * 3
    assert len(caplog.records) == 1
    assert str(path) in caplog.text
    path.unlink()
    assert running.open(sealed, "place") == b"x"
    path.write_text(text)
    assert running.open(sealed, "place") == b"x"


def test_a_secret_that_is_mounted_changes_by_its_link(tmp_path: Path) -> None:
    """The kubelet puts a new folder behind a symbolic link."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        RingFile.create(tmp_path / name / "keys.json")
    link = tmp_path / "..data"
    link.symlink_to("one")
    (tmp_path / "keys.json").symlink_to("..data/keys.json")
    ring = RingFile(tmp_path / "keys.json")
    first = ring.active
    (tmp_path / "new").symlink_to("two")
    (tmp_path / "new").replace(link)
    assert ring.active == RingFile(tmp_path / "two/keys.json").active != first


def test_every_change_leaves_the_rest_as_it_is(path: Path) -> None:
    first = content(path)
    path.write_text(json.dumps({**first, "comment": "of the operator"}))
    ring = RingFile(path)
    key_id = ring.add()
    assert content(path)["keys"].items() > first["keys"].items()
    ring.activate(key_id)
    ring.remove(first["active"])
    assert content(path)["comment"] == "of the operator"
    assert list(content(path)["keys"]) == [key_id]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert ring.keys == (Key(key_id),)


def test_commands_at_once_lose_no_key(path: Path) -> None:
    first = content(path)

    def many(_: int) -> list[str]:
        ring = RingFile(path)
        return [ring.add() for _ in range(5)]

    with ThreadPoolExecutor(4) as commands:
        added = [key_id for each in commands.map(many, range(4)) for key_id in each]
    assert content(path)["keys"].keys() == {first["active"], *added}


def test_two_machines_never_give_two_keys_one_id(path: Path) -> None:
    ring = RingFile(path)
    assert len({ring.with_fresh_key()[0] for _ in range(100)}) == 100
    assert ring.keys == (ring.active,)  # nothing was written


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda ring: ring.activate("x"), "has no key 'x'; `keys list` shows"),
        (lambda ring: ring.remove("x"), "has no key 'x'"),
        (lambda ring: ring.remove(ring.active.id), "is the active one; `keys rotate`"),
    ],
)
def test_what_cannot_be_is_refused(path: Path, change: Any, says: str) -> None:
    before = path.read_text()
    with pytest.raises(KeyRingError, match=says):
        change(RingFile(path))
    assert path.read_text() == before


def test_a_ring_that_cannot_be_written_names_the_way(path: Path) -> None:
    """A folder stands where the new file is written first; a Secret that is mounted refuses everything."""
    path.with_name(f".keys.json.{os.getpid()}").mkdir()
    with pytest.raises(KeyRingError, match=r"cannot be written .*where it is the file of a Secret"):
        RingFile(path).add()


def test_keys_of_version_0_1_are_known_by_their_form(tmp_path: Path) -> None:
    key = base64.b64encode(bytes(32)).decode()
    (tmp_path / "keys.json").write_text(json.dumps({"active": "1", "keys": {"1": key, "2": f"wrap:{key}"}}))
    assert RingFile(tmp_path / "keys.json").keys == (Key("1", direct=True), Key("2"))
