"""Options of a resource at rest: AES-256-GCM, until the broker has accepted them."""

from __future__ import annotations

import base64
import binascii
import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from helmbroker.controller_bridge.settings import SetupError
from helmbroker.durable import JSON

_NONCE_BYTES = 12
_KEY_BYTES = 32


class SealError(SetupError):
    """A key file or a sealed text that cannot be used; a sentence without any secret."""


class Sealer:
    """Seals and opens JSON objects with a key ring: the current key seals, every key opens."""

    def __init__(self, current: str, keys: Mapping[str, bytes]) -> None:
        if current not in keys or any(len(key) != _KEY_BYTES for key in keys.values()):
            raise SealError("the key ring has no current key, or a key that is not 32 bytes long")
        self._current, self._keys = current, dict(keys)

    def seal(self, value: Mapping[str, JSON], *, owner: str) -> str:
        """`value` as text that only `open` with the same `owner` (a row's id) can read."""
        nonce = os.urandom(_NONCE_BYTES)
        plain = json.dumps(value, separators=(",", ":")).encode()
        sealed = AESGCM(self._keys[self._current]).encrypt(nonce, plain, owner.encode())
        return f"{self._current}.{base64.b64encode(nonce + sealed).decode('ascii')}"

    def open(self, text: str, *, owner: str) -> dict[str, JSON]:
        """The value that was sealed for `owner`. Raises SealError: no such key, another owner, altered text."""
        name, _, body = text.partition(".")
        if name not in self._keys:
            raise SealError(f"the key {name!r} is not in the key file: put it back")
        try:
            raw = base64.b64decode(body, validate=True)
            plain = AESGCM(self._keys[name]).decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], owner.encode())
        except (InvalidTag, binascii.Error, ValueError):
            raise SealError("sealed options cannot be opened: they were altered, or the key was") from None
        value: dict[str, JSON] = json.loads(plain)
        return value


def load(path: Path) -> Sealer:
    """The key ring in `path`, as `new_ring` writes it. Raises SealError."""
    try:
        ring = json.loads(path.read_text(encoding="utf-8"))
        keys = {str(name): base64.b64decode(key, validate=True) for name, key in ring["keys"].items()}
        return Sealer(str(ring["current"]), keys)
    except OSError as error:
        raise SealError(
            f"cannot read the key file {path} ({error.strerror}); run `helmbroker-bridge init`"
        ) from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise SealError(f"{path} is not a key file as `helmbroker-bridge init` makes it") from None


def new_ring() -> str:
    """The text of a key file with one fresh key: `{"current": name, "keys": {name: base64 of 32 bytes}}`."""
    name = "k1"
    key = base64.b64encode(secrets.token_bytes(_KEY_BYTES)).decode("ascii")
    return json.dumps({"current": name, "keys": {name: key}}, indent=1) + "\n"
