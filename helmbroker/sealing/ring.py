"""Keys in memory."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from helmbroker.sealing.wrapper import Key, KeyRingError

KEY_BYTES = 32
NONCE_BYTES = 12
TAG_BYTES = 16


class KeyRing:
    """The port KeyWrapper. One key is active, all of them unwrap. `direct`: those that belong to version 0.1."""

    def __init__(self, keys: Mapping[str, bytes], active: str, direct: Collection[str] = ()) -> None:
        self._ciphers = {key_id: AESGCM(key) for key_id, key in keys.items()}
        self._direct = frozenset(direct)
        self._active = self._key(active)

    def __repr__(self) -> str:
        return f"KeyRing({len(self._ciphers)} keys)"

    @property
    def active(self) -> Key:
        return self._active

    @property
    def keys(self) -> tuple[Key, ...]:
        """All of them, in the operator's order."""
        return tuple(map(self._key, self._ciphers))

    def wrap(self, key_id: str, plain: bytes, context: str) -> bytes:
        nonce = secrets.token_bytes(NONCE_BYTES)
        return nonce + self._cipher(key_id, context).encrypt(nonce, plain, context.encode())

    def unwrap(self, key_id: str, wrapped: bytes, context: str) -> bytes:
        cipher = self._cipher(key_id, context)
        try:
            if len(wrapped) < NONCE_BYTES + TAG_BYTES:
                raise InvalidTag
            return cipher.decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], context.encode())
        except InvalidTag:
            raise KeyRingError(f"{context} was sealed under another key, or has been changed") from None

    def _cipher(self, key_id: str, context: str) -> AESGCM:
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            raise KeyRingError(f"the key ring lacks key {key_id!r}, under which {context} was sealed")
        return cipher

    def _key(self, key_id: str) -> Key:
        return Key(key_id, key_id in self._direct)
