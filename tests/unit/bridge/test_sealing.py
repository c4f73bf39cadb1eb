"""Options at rest."""

from __future__ import annotations

from pathlib import Path

import pytest

from helmbroker.controller_bridge.sealing import Sealer, SealError, load
from helmbroker.sealing import KeyRing, Keys, RingFile

OLD, NEW = bytes(32), bytes(range(32))
SEALER = Sealer(Keys(KeyRing({"k1": OLD}, "k1")))


def test_only_its_owner_can_open_it() -> None:
    sealed = SEALER.seal({"password": "canary"}, owner="row-1")
    assert "canary" not in sealed
    assert SEALER.open(sealed, owner="row-1") == {"password": "canary"}
    with pytest.raises(SealError, match="has been changed"):
        SEALER.open(sealed, owner="row-2")


def test_two_seals_differ() -> None:
    assert SEALER.seal({"a": 1}, owner="x") != SEALER.seal({"a": 1}, owner="x")


def test_an_old_key_still_opens() -> None:
    sealed = SEALER.seal({"a": 1}, owner="x")
    turned = Sealer(Keys(KeyRing({"k1": OLD, "k2": NEW}, "k2")))
    assert turned.open(sealed, owner="x") == {"a": 1}
    with pytest.raises(SealError, match="lacks key 'k1'"):
        Sealer(Keys(KeyRing({"k2": NEW}, "k2"))).open(sealed, owner="x")


@pytest.mark.parametrize("text", ["", "AAAA", "***", "A" * 60])
def test_altered_text(text: str) -> None:
    with pytest.raises(SealError, match="cannot be opened"):
        SEALER.open(text, owner="x")


def test_a_new_ring_can_be_loaded(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    RingFile.create(path)
    assert load(path).open(load(path).seal({"a": 1}, owner="x"), owner="x") == {"a": 1}


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"current": "a", "keys": {"a": "AA=="}}', '{"current": "b", "keys": {}}', '{"keys": 3}'],
)
def test_bad_key_files(tmp_path: Path, text: str) -> None:
    path = tmp_path / "keys.json"
    path.write_text(text)
    with pytest.raises(SealError, match="key"):
        load(path)


def test_a_missing_key_file_names_the_cure(tmp_path: Path) -> None:
    with pytest.raises(SealError, match="helmbroker-bridge init"):
        load(tmp_path / "none")


def test_it_shows_no_key() -> None:
    assert "AAAA" not in repr(SEALER)
