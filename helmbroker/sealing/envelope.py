"""What a sealed secret looks like: its data key, wrapped, goes with it."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from helmbroker.sealing.file import RingFile
from helmbroker.sealing.ring import KEY_BYTES, NONCE_BYTES, TAG_BYTES
from helmbroker.sealing.wrapper import KeyRingError, KeyWrapper

# Version 0.1 wrote `length, id of the key` and what that key has encrypted. It takes this for the id of a key that
# it has not, and says so.
_NAME = b"format 2"
FORMAT_2 = bytes([len(_NAME)]) + _NAME


@dataclass(frozen=True)
class _Sealed:
    """A sealed secret, taken apart. wrapped: its data key; None: it is sealed by the operator's key itself."""

    key_id: str
    wrapped: bytes | None
    body: bytes  # nonce and ciphertext


class Keys:
    """Seals and opens, over whatever has the operator's keys."""

    def __init__(self, wrapper: KeyWrapper) -> None:
        self._wrapper = wrapper

    def __repr__(self) -> str:
        return f"Keys({self._wrapper!r})"

    @classmethod
    def load(cls, path: Path, *, made_by: str = "helmbroker init") -> Keys:
        """Over the key ring in a file, which is followed. Raises KeyRingError."""
        return cls(RingFile(path, made_by=made_by))

    def seal(self, plain: bytes, place: str) -> bytes:
        """Ciphertext that opens only at `place` (table, column and row)."""
        key = self._wrapper.active
        if key.direct:
            return _prefixed(key.id.encode()) + self._wrapper.wrap(key.id, plain, place)
        data_key, nonce = secrets.token_bytes(KEY_BYTES), secrets.token_bytes(NONCE_BYTES)
        body = nonce + AESGCM(data_key).encrypt(nonce, plain, place.encode())
        return self._enveloped(key.id, data_key, place, body)

    def open(self, sealed: bytes, place: str) -> bytes:
        """The plain bytes. Raises KeyRingError: there is no such key, or the data is not what was sealed."""
        parts = _apart(sealed, place)
        if parts.wrapped is None:
            return self._wrapper.unwrap(parts.key_id, parts.body, place)
        data_key = self._wrapper.unwrap(parts.key_id, parts.wrapped, _of_data_key(place))
        try:
            nonce, ciphertext = parts.body[:NONCE_BYTES], parts.body[NONCE_BYTES:]
            return AESGCM(data_key).decrypt(nonce, ciphertext, place.encode())
        except (InvalidTag, ValueError):
            raise KeyRingError(f"{place} was sealed under another key, or has been changed") from None

    def rewrapped(self, sealed: bytes, place: str) -> bytes | None:
        """The same secret under the active key; None: it is. Raises KeyRingError, as `open`."""
        parts, active = _apart(sealed, place), self._wrapper.active
        if parts.key_id == active.id:
            return None
        if parts.wrapped is None or active.direct:
            return self.seal(self.open(sealed, place), place)
        data_key = self._wrapper.unwrap(parts.key_id, parts.wrapped, _of_data_key(place))
        return self._enveloped(active.id, data_key, place, parts.body)

    def _enveloped(self, key_id: str, data_key: bytes, place: str, body: bytes) -> bytes:
        wrapped = self._wrapper.wrap(key_id, data_key, _of_data_key(place))
        return FORMAT_2 + _prefixed(key_id.encode()) + len(wrapped).to_bytes(2, "big") + wrapped + body


def wrapped_by(sealed: bytes) -> str:
    """The id of the key without which it cannot be opened; empty when it is no sealed secret."""
    try:
        return _apart(sealed, "").key_id
    except KeyRingError:
        return ""


def _of_data_key(place: str) -> str:
    """Where a data key belongs: never where a secret does, so that none can be put into the other's place."""
    return f"the data key of {place}"


def _apart(sealed: bytes, place: str) -> _Sealed:
    new = sealed.startswith(FORMAT_2)
    key_id, rest = _cut(sealed.removeprefix(FORMAT_2) if new else sealed, 1)
    wrapped, body = _cut(rest, 2) if new else (None, rest)
    if not key_id or len(body) < NONCE_BYTES + TAG_BYTES:
        raise KeyRingError(f"{place} holds no sealed data; it has been changed")
    return _Sealed(key_id.decode(errors="replace"), wrapped, body)


def _prefixed(data: bytes) -> bytes:
    return len(data).to_bytes(1, "big") + data


def _cut(data: bytes, digits: int) -> tuple[bytes, bytes]:
    """What comes first, with its length in front of it, and the rest."""
    end = digits + int.from_bytes(data[:digits], "big")
    return data[digits:end], data[end:]
