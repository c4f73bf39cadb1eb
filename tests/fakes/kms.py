"""A service that has keys and gives none away: the port KeyWrapper as Vault's transit engine would be behind it."""

from __future__ import annotations

import secrets

from helmbroker.sealing import Key, KeyRingError, KeysAway


class FakeKms:
    """It remembers what it has wrapped, and hands out tickets for it."""

    def __init__(self, *key_ids: str) -> None:
        self.key_ids = list(key_ids)  # the first one is active
        self.asked: list[str] = []
        self.away = False
        self.answers = 0
        self.lost = 0  # the number of the one answer that does not come
        self._wrapped: dict[bytes, tuple[str, str, bytes]] = {}

    @property
    def active(self) -> Key:
        self._answer()
        return Key(self.key_ids[0])

    def wrap(self, key_id: str, plain: bytes, context: str) -> bytes:
        self._check(key_id, context)
        self.asked.append("wrap")
        ticket = b"vault:v1:" + secrets.token_hex(16).encode()
        self._wrapped[ticket] = (key_id, context, plain)
        return ticket

    def unwrap(self, key_id: str, wrapped: bytes, context: str) -> bytes:
        self._check(key_id, context)
        self.asked.append("unwrap")
        known = self._wrapped.get(wrapped)
        if known is None or known[:2] != (key_id, context):
            raise KeyRingError(f"{context} was sealed under another key, or has been changed")
        return known[2]

    def _answer(self) -> None:
        self.answers += 1
        if self.away or self.answers == self.lost:
            raise KeysAway("the key service does not answer")

    def _check(self, key_id: str, context: str) -> None:
        self._answer()
        if key_id not in self.key_ids:
            raise KeyRingError(f"the key ring lacks key {key_id!r}, under which {context} was sealed")
