"""Answers that hold for half a minute: each request of a client would ask for the same."""

from __future__ import annotations

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

KEPT_S = 30.0
"""Seconds for which a token, or a role, is believed after it was revoked."""

_MOST = 5000
K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Memory(Generic[K, V]):
    """The newest answers. Thread-safe; two threads may ask for the same at the same time."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._known: OrderedDict[K, tuple[float, V]] = OrderedDict()

    def get(self, key: K, ask: Callable[[], V]) -> V:
        """The answer for `key`; what `ask` raises is not kept."""
        with self._lock:
            self._drop()
            if key in self._known:
                return self._known[key][1]
        value = ask()
        with self._lock:
            self._known[key] = (self._clock(), value)
            self._known.move_to_end(key)
            while len(self._known) > _MOST:
                self._known.popitem(last=False)
        return value

    def _drop(self) -> None:
        """What is too old, also of those that do not come back: the oldest are in front."""
        while self._known and self._clock() - next(iter(self._known.values()))[0] >= KEPT_S:
            self._known.popitem(last=False)


def digest(token: str) -> bytes:
    """What is kept instead of a token."""
    return hashlib.sha256(token.encode(errors="surrogatepass")).digest()
