"""Secrets at rest: what opens, what does not, and that nothing shows."""

from __future__ import annotations

import base64
import json
import stat
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from helmbroker.sealing import KeyRing, KeyRingError, Keys, RingFile, wrapped_by

PLACE = '["bindings.credentials", "i", "b"]'
OLD, NEW = bytes(range(32)), bytes(range(32, 64))


def ring(active: str = "1", direct: tuple[str, ...] = ()) -> Keys:
    return Keys(KeyRing({"1": OLD, "2": NEW}, active, direct))


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
        Keys(KeyRing({"1": OLD}, "1")).open(after, PLACE)


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
        Keys(KeyRing({"1": NEW}, "1")).open(ring().seal(b"c4n4ry", PLACE), PLACE)


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


def test_each_secret_has_a_data_key_of_its_own() -> None:
    """So one that leaks opens nothing else, and another key of the operator's is a matter of bytes."""
    one, other = ring().seal(b"", PLACE), ring().seal(b"", PLACE)
    assert one[: -12 - 16] != other[: -12 - 16]
    assert len(one) < 150


def test_another_key_wraps_the_same_secret() -> None:
    sealed = ring("1").seal(b"c4n4ry", PLACE)
    turned = ring("2").rewrapped(sealed, PLACE)
    assert turned is not None
    assert (wrapped_by(sealed), wrapped_by(turned)) == ("1", "2")
    assert turned[-18 - 16 :] == sealed[-18 - 16 :]  # the secret itself is not encrypted anew
    assert Keys(KeyRing({"2": NEW}, "2")).open(turned, PLACE) == b"c4n4ry"
    assert ring("2").rewrapped(turned, PLACE) is None
    with pytest.raises(KeyRingError, match="has been changed"):
        ring("2").rewrapped(sealed, "elsewhere")


# {"password": "c4n4ry"}, as version 0.1 sealed it for PLACE under the key "1" with the bytes of OLD
SEALED_BY_0_1 = bytes.fromhex(
    "013107a6384d8ad8fb3c921ef491a9571d256bdadaabd4a36c56fa16733f376e0862ed30825be0bdb5649656878581fe0920a6e0"
)


def test_what_version_0_1_has_sealed_opens() -> None:
    assert ring(direct=("1",)).open(SEALED_BY_0_1, PLACE) == b'{"password": "c4n4ry"}'
    turned = ring("2", direct=("1",)).rewrapped(SEALED_BY_0_1, PLACE)
    assert turned is not None
    assert Keys(KeyRing({"2": NEW}, "2")).open(turned, PLACE) == b'{"password": "c4n4ry"}'


def test_a_key_of_version_0_1_seals_what_that_version_opens() -> None:
    """Both run side by side while the programs are replaced."""
    sealed = ring(direct=("1",)).seal(b"c4n4ry", PLACE)
    assert sealed[:2] == b"\x011"
    assert AESGCM(OLD).decrypt(sealed[2:14], sealed[14:], PLACE.encode()) == b"c4n4ry"
    assert ring(direct=("1",)).rewrapped(sealed, PLACE) is None


def test_a_data_key_cannot_be_shown_as_a_secret() -> None:
    sealed = ring().seal(b"c4n4ry", PLACE)
    head = len(b"\x08format 2") + len(b"\x011")
    wrapped = sealed[head + 2 : head + 2 + int.from_bytes(sealed[head : head + 2], "big")]
    with pytest.raises(KeyRingError, match="has been changed"):
        ring().open(b"\x011" + wrapped, PLACE)


def test_what_is_no_sealed_secret_is_under_no_key() -> None:
    assert [wrapped_by(content) for content in (b"", b"plain text", b"\x08format 2")] == ["", "", ""]


def test_nothing_shows() -> None:
    shown = repr(ring()) + str(ring())
    assert shown == "Keys(KeyRing(2 keys))" * 2


def test_a_ring_is_made_once_and_read_again(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    RingFile.create(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    sealed = Keys.load(path).seal(b"c4n4ry", PLACE)
    with pytest.raises(FileExistsError):
        RingFile.create(path)
    assert Keys.load(path).open(sealed, PLACE) == b"c4n4ry"


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
        ({"active": "", "keys": {"": GOOD}}, "an empty one"),
        ({"active": "format 2", "keys": {"format 2": GOOD}}, "or 'format 2'"),
    ],
)
def test_an_unusable_ring_says_so_and_shows_nothing(tmp_path: Path, content: Any, says: str) -> None:
    path = tmp_path / "keys.json"
    if content is not None:
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(KeyRingError, match=says) as caught:
        Keys.load(path)
    assert caught.value.__cause__ is None
    assert "c4n4ry" not in str(caught.value)
    assert GOOD not in str(caught.value)
