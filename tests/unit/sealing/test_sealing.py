"""Secrets at rest: what opens, what does not, and that nothing shows."""

from __future__ import annotations

import base64
import json
import stat
from pathlib import Path
from typing import Any

import pytest

from helmbroker.sealing import KeyRing, KeyRingError

PLACE = '["bindings.credentials", "i", "b"]'
OLD, NEW = bytes(range(32)), bytes(range(32, 64))


def ring(active: str = "1") -> KeyRing:
    return KeyRing({"1": OLD, "2": NEW}, active)


def test_what_was_sealed_opens_in_its_place() -> None:
    sealed = ring().seal(b"c4n4ry", PLACE)
    assert b"c4n4ry" not in sealed
    assert ring().open(sealed, PLACE) == b"c4n4ry"


def test_the_same_secret_is_never_sealed_the_same() -> None:
    assert ring().seal(b"c4n4ry", PLACE) != ring().seal(b"c4n4ry", PLACE)


def test_keys_rotate() -> None:
    before = ring("1").seal(b"old", PLACE)
    after = ring("2").seal(b"new", PLACE)
    assert ring("2").open(before, PLACE) == b"old"
    with pytest.raises(KeyRingError, match="lacks key '2'"):
        KeyRing({"1": OLD}, "1").open(after, PLACE)


@pytest.mark.parametrize(
    "place",
    ['["bindings.credentials", "i", "other"]', '["bindings.parameters", "i", "b"]', ""],
    ids=["another row", "another column", "nowhere"],
)
def test_a_ciphertext_that_was_moved_does_not_open(place: str) -> None:
    with pytest.raises(KeyRingError, match="has been changed"):
        ring().open(ring().seal(b"c4n4ry", PLACE), place)


def test_the_wrong_key_does_not_open() -> None:
    with pytest.raises(KeyRingError, match="sealed under another key"):
        KeyRing({"1": NEW}, "1").open(ring().seal(b"c4n4ry", PLACE), PLACE)


def test_no_changed_byte_goes_unnoticed() -> None:
    sealed = ring().seal(b"c4n4ry", PLACE)
    for position in range(len(sealed)):
        changed = bytearray(sealed)
        changed[position] ^= 1
        with pytest.raises(KeyRingError):
            ring().open(bytes(changed), PLACE)


def test_what_was_cut_or_never_sealed_is_refused() -> None:
    sealed = ring().seal(b"c4n4ry", PLACE)
    for content in (*(sealed[:length] for length in range(len(sealed))), b"plain text", b"\xff" * 100):
        with pytest.raises(KeyRingError):
            ring().open(content, PLACE)


def test_nothing_shows() -> None:
    shown = repr(ring()) + str(ring())
    assert shown == "KeyRing(2 keys)" * 2


def test_a_ring_is_made_once_and_read_again(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    KeyRing.create(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    sealed = KeyRing.load(path).seal(b"c4n4ry", PLACE)
    with pytest.raises(FileExistsError):
        KeyRing.create(path)
    assert KeyRing.load(path).open(sealed, PLACE) == b"c4n4ry"


GOOD = base64.b64encode(OLD).decode()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "there is no key ring at .*; `helmbroker init` makes one"),
        ("", "cannot be read"),
        ("[]", "cannot be read"),
        ({"keys": {"1": GOOD}}, "cannot be read"),
        ({"active": "1", "keys": [GOOD]}, "cannot be read"),
        ({"active": "1", "keys": {"1": 7}}, "cannot be read"),
        ({"active": "1", "keys": {"1": "c4n4ry!"}}, "cannot be read"),
        ({"active": "2", "keys": {"1": GOOD}}, "no active key"),
        ({"active": "1", "keys": {"1": "c2hvcnQ="}}, "not 32 bytes long"),
        ({"active": "k" * 65, "keys": {"k" * 65: GOOD}}, "key id of more than 64 bytes"),
    ],
)
def test_an_unusable_ring_says_so_and_shows_nothing(tmp_path: Path, content: Any, says: str) -> None:
    path = tmp_path / "keys.json"
    if content is not None:
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(KeyRingError, match=says) as caught:
        KeyRing.load(path)
    assert caught.value.__cause__ is None
    assert "c4n4ry" not in str(caught.value)
    assert GOOD not in str(caught.value)
