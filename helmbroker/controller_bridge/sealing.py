"""Secrets at rest: options of resources, and credentials of services that live elsewhere."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from helmbroker.controller_bridge.settings import SetupError
from helmbroker.durable import JSON
from helmbroker.sealing import KeyRingError, Keys
from helmbroker.sealing.stored import Form

OPTIONS, CREDENTIALS = "resources.options", "external.credentials"  # what is sealed

# how ciphertext is written into a row
TEXT = Form(lambda sealed: base64.b64encode(sealed).decode("ascii"), partial(base64.b64decode, validate=True))


class SealError(SetupError):
    """A key ring or a sealed text that cannot be used; a sentence without any secret."""


class Sealer:
    """Seals and opens JSON objects as text."""

    def __init__(self, keys: Keys) -> None:
        self.keys = keys

    def seal(self, value: Mapping[str, JSON], *, owner: str, what: str = OPTIONS) -> str:
        """`value` as text that only `open` with the same `owner` (a row's id) and `what` can read."""
        plain = json.dumps(value, separators=(",", ":")).encode()
        return str(TEXT.write(self.keys.seal(plain, place(owner, what))))

    def open(self, text: str, *, owner: str, what: str = OPTIONS) -> dict[str, JSON]:
        """The value that was sealed for `owner`. Raises SealError: no such key, another owner, altered text."""
        try:
            plain = self.keys.open(TEXT.read(text), place(owner, what))
        except binascii.Error:
            raise SealError("sealed options cannot be opened: they have been changed") from None
        except KeyRingError as error:
            raise SealError(f"options cannot be opened: {error}") from None
        value: dict[str, JSON] = json.loads(plain)
        return value


def load(path: Path) -> Sealer:
    """With the key ring in `path`. Raises SealError."""
    try:
        return Sealer(Keys.load(path, made_by="helmbroker-bridge init"))
    except KeyRingError as error:
        raise SealError(str(error)) from None


def place(owner: str, what: str = OPTIONS) -> str:
    """Where the ciphertext of a row belongs."""
    return f"{what} of {owner}"
