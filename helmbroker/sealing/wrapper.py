"""The port behind which the operator's keys are: a key ring, or a service that never gives a key away."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class KeyRingError(Exception):
    """A key cannot be used, or does not fit the data. A sentence for the operator, without any secret."""


class KeysAway(Exception):
    """Whatever has the keys does not answer now: try again. A sentence for whoever waits, without any secret."""


@dataclass(frozen=True)
class Key:
    """A key that wraps. id: 1 to 64 bytes, for ever that of this one.

    direct: it belongs to version 0.1, which seals secrets by the key itself and knows no data keys.
    """

    id: str
    direct: bool = False


class KeyWrapper(Protocol):
    """Wraps and unwraps a few bytes: data keys. Thread-safe; it may be asked for every secret that is read.

    A KMS fits: Vault's transit engine, AWS, GCP and Azure all bind what they encrypt to such a `context`.
    While it is away, everything here raises KeysAway: nothing is wrong with the data, so operations wait and
    clients get 503.
    """

    @property
    def active(self) -> Key:
        """The key under which is wrapped from now on. Others can unwrap."""
        ...

    def wrap(self, key_id: str, plain: bytes, context: str) -> bytes:
        """At most 65535 bytes for a data key, which `unwrap` takes with the same id and context alone.

        Raises KeyRingError: there is no such key.
        """
        ...

    def unwrap(self, key_id: str, wrapped: bytes, context: str) -> bytes:
        """What was wrapped. Raises KeyRingError: there is no such key, or this is not what it has wrapped there."""
        ...
