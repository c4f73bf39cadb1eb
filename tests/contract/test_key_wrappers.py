"""The contract of the port KeyWrapper: a ring in memory, one in a file, and a service that keeps its keys."""

from __future__ import annotations

from pathlib import Path

import pytest

from helmbroker.sealing import KeyRing, KeyRingError, Keys, KeyWrapper, RingFile
from tests.fakes.kms import FakeKms

CONTEXT = "the data key of something"


def in_file(folder: Path) -> RingFile:
    RingFile.create(folder / "keys.json")
    return RingFile(folder / "keys.json")


@pytest.fixture(params=["memory", "file", "service"])
def wrapper(request: pytest.FixtureRequest, tmp_path: Path) -> KeyWrapper:
    if request.param == "memory":
        return KeyRing({"a": bytes(32)}, "a")
    return in_file(tmp_path) if request.param == "file" else FakeKms("a")


def test_what_was_wrapped_is_unwrapped(wrapper: KeyWrapper) -> None:
    key = wrapper.active
    wrapped = wrapper.wrap(key.id, b"data key", CONTEXT)
    assert not key.direct
    assert b"data key" not in wrapped
    assert len(wrapped) < 1 << 16
    assert wrapper.unwrap(key.id, wrapped, CONTEXT) == b"data key"
    assert wrapper.wrap(key.id, b"data key", CONTEXT) != wrapped


def test_it_belongs_to_its_context(wrapper: KeyWrapper) -> None:
    wrapped = wrapper.wrap(wrapper.active.id, b"data key", CONTEXT)
    with pytest.raises(KeyRingError, match="has been changed"):
        wrapper.unwrap(wrapper.active.id, wrapped, "elsewhere")


def test_what_was_changed_is_refused(wrapper: KeyWrapper) -> None:
    wrapped = wrapper.wrap(wrapper.active.id, b"data key", CONTEXT)
    for changed in (b"", wrapped[:-1], wrapped[:-1] + bytes([wrapped[-1] ^ 1])):
        with pytest.raises(KeyRingError, match="has been changed"):
            wrapper.unwrap(wrapper.active.id, changed, CONTEXT)


def test_a_key_that_is_not_there_is_named(wrapper: KeyWrapper) -> None:
    for ask in (wrapper.wrap, wrapper.unwrap):
        with pytest.raises(KeyRingError, match="lacks key 'b'"):
            ask("b", bytes(60), CONTEXT)


def test_secrets_are_sealed_over_any_of_them(wrapper: KeyWrapper) -> None:
    keys = Keys(wrapper)
    sealed = keys.seal(b"c4n4ry", "place")
    assert keys.open(sealed, "place") == b"c4n4ry"
    assert b"c4n4ry" not in sealed


def test_a_service_never_sees_a_secret_and_is_asked_once_for_each() -> None:
    kms = FakeKms("new", "old")
    keys = Keys(kms)
    sealed = keys.seal(b"c4n4ry", "place")
    keys.open(sealed, "place")
    assert kms.asked == ["wrap", "unwrap"]
    kms.key_ids.reverse()
    turned = keys.rewrapped(sealed, "place")
    assert turned is not None
    assert kms.asked == ["wrap", "unwrap", "unwrap", "wrap"]
    assert b"c4n4ry" not in {plain for _, _, plain in kms._wrapped.values()}
