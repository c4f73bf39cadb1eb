"""What is looked for: secrets, and every form in which one may be written down."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import quote


class Kind(StrEnum):
    """Sorts of secrets. The words are those of the page."""

    PARAMETERS = "parameters"  # of instances and bindings, options of resources: what the schema marks as secret
    ADMIN = "an instance's own secrets"  # the administrator's password and the key of its certificate
    BINDING = "credentials of bindings"
    KEYS = "keys"  # of both key rings
    LOGINS = "logins"  # passwords and tokens of both APIs, also wrong ones, and the key to the cluster


@dataclass(frozen=True)
class Secret:
    """One of them, of 12 bytes at least. name: whose it is, for people."""

    kind: Kind
    name: str
    value: bytes = field(repr=False)

    def forms(self) -> set[bytes]:
        """As it is; in JSON, an URL or hexadecimal digits; in base64, wherever in the encoded text it begins."""
        hexadecimal = self.value.hex()
        found = {
            self.value,
            hexadecimal.encode(),
            hexadecimal.upper().encode(),
            quote(self.value, safe="").encode(),
        }
        text = self.value.decode(errors="surrogateescape")
        for ascii_only in (True, False):
            found.add(json.dumps(text, ensure_ascii=ascii_only)[1:-1].encode(errors="surrogateescape"))
        for before in range(3):
            # without the characters that depend on what is written before and behind
            first, last = (before * 8 + 5) // 6, (before + len(self.value)) * 8 // 6
            found.add(base64.b64encode(b"\0" * before + self.value)[first:last])
        return found


class Search:
    """Finds secrets in bytes."""

    def __init__(self, secrets: Iterable[Secret]) -> None:
        self._forms = [(form, secret) for secret in set(secrets) for form in secret.forms()]

    def __call__(self, content: bytes) -> set[Secret]:
        return {secret for form, secret in self._forms if form in content}
