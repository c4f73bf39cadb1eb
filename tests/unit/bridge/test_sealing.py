"""Options at rest."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from helmbroker.controller_bridge.sealing import Sealer, SealError, load, new_ring

OLD, NEW = bytes(32), bytes(range(32))
SEALER = Sealer("k1", {"k1": OLD})


def test_only_its_owner_can_open_it() -> None:
    sealed = SEALER.seal({"password": "canary"}, owner="row-1")
    assert "canary" not in sealed
    assert SEALER.open(sealed, owner="row-1") == {"password": "canary"}
    with pytest.raises(SealError, match="altered"):
        SEALER.open(sealed, owner="row-2")


def test_two_seals_differ() -> None:
    assert SEALER.seal({"a": 1}, owner="x") != SEALER.seal({"a": 1}, owner="x")


def test_an_old_key_still_opens() -> None:
    sealed = SEALER.seal({"a": 1}, owner="x")
    turned = Sealer("k2", {"k1": OLD, "k2": NEW})
    assert turned.open(sealed, owner="x") == {"a": 1}
    assert turned.seal({}, owner="x").startswith("k2.")
    with pytest.raises(SealError, match="'k1' is not in the key file"):
        Sealer("k2", {"k2": NEW}).open(sealed, owner="x")


@pytest.mark.parametrize("text", ["k1.", "k1.AAAA", "k1.***", "k1." + "A" * 60])
def test_altered_text(text: str) -> None:
    with pytest.raises(SealError, match="altered"):
        SEALER.open(text, owner="x")


def test_a_new_ring_can_be_loaded(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_text(new_ring())
    assert load(path).open(load(path).seal({"a": 1}, owner="x"), owner="x") == {"a": 1}
    assert new_ring() != new_ring()


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


def test_the_ring_shows_no_key_by_name() -> None:
    assert json.loads(new_ring())["current"] == "k1"
    assert "AAAA" not in repr(SEALER)
