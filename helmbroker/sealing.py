"""Secrets at rest: AES-256-GCM under a key of the key ring, bound to the row that they belong to."""

from __future__ import annotations

import base64
import json
import os
import secrets
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE_BYTES = 12
_TAG_BYTES = 16
_KEY_BYTES = 32
_LONGEST_KEY_ID = 64


class KeyRingError(Exception):
    """The key ring cannot be used, or does not fit the data. A sentence for the operator."""


class KeyRing:
    """Keys by id; one of them is active and seals, all of them open."""

    def __init__(self, keys: dict[str, bytes], active: str) -> None:
        self._ciphers = {key_id: AESGCM(key) for key_id, key in keys.items()}
        self._active = active

    def __repr__(self) -> str:
        return f"KeyRing({len(self._ciphers)} keys)"

    @classmethod
    def load(cls, path: Path, *, made_by: str = "helmbroker init") -> KeyRing:
        """Read a file `{"active": ID, "keys": {ID: base64 of 32 bytes}}`. Raises KeyRingError."""
        try:
            data = json.loads(path.read_text("utf-8"))
            keys = {str(key_id): base64.b64decode(key, validate=True) for key_id, key in data["keys"].items()}
            active = str(data["active"])
        except FileNotFoundError:
            raise KeyRingError(f"there is no key ring at {path}; `{made_by}` makes one") from None
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            # the error's own text may quote the file
            raise KeyRingError(f"the key ring {path} cannot be read ({type(error).__name__})") from None
        if active not in keys or any(len(key) != _KEY_BYTES for key in keys.values()):
            raise KeyRingError(
                f"the key ring {path} has no active key, or a key that is not {_KEY_BYTES} bytes long"
            )
        if any(len(key_id.encode()) > _LONGEST_KEY_ID for key_id in keys):
            raise KeyRingError(f"the key ring {path} has a key id of more than {_LONGEST_KEY_ID} bytes")
        return cls(keys, active)

    @staticmethod
    def create(path: Path) -> None:
        """Write a ring with one fresh key, readable by the owner alone. Raises FileExistsError."""
        key = base64.b64encode(secrets.token_bytes(_KEY_BYTES)).decode()
        content = json.dumps({"active": "1", "keys": {"1": key}}, indent=2) + "\n"
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(content)

    def seal(self, plain: bytes, place: str) -> bytes:
        """Ciphertext that opens only at `place` (table, column and row)."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        key_id = self._active.encode()
        sealed = self._ciphers[self._active].encrypt(nonce, plain, place.encode())
        return len(key_id).to_bytes(1, "big") + key_id + nonce + sealed

    def open(self, sealed: bytes, place: str) -> bytes:
        """The plain bytes. Raises KeyRingError: the key is not on the ring, or the data is not what was sealed."""
        end = 1 + (sealed[0] if sealed else 0)
        key_id = sealed[1:end].decode(errors="replace")
        cipher = self._ciphers.get(key_id)
        if len(sealed) < end + _NONCE_BYTES + _TAG_BYTES:
            raise KeyRingError(f"{place} holds no sealed data; it has been changed")
        if cipher is None:
            raise KeyRingError(f"the key ring lacks key {key_id!r}, under which {place} was sealed")
        try:
            return cipher.decrypt(sealed[end : end + _NONCE_BYTES], sealed[end + _NONCE_BYTES :], place.encode())
        except InvalidTag:
            raise KeyRingError(f"{place} was sealed under another key, or has been changed") from None
