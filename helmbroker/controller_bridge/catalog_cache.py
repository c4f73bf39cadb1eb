"""The broker's catalog, asked for at most once per `ttl_s` seconds."""

from __future__ import annotations

import threading
import time

from helmbroker.controller_bridge.broker_port import Broker, Offering

_TTL_S = 30.0


class CachedCatalog:
    """Safe for threads. What the broker raises passes through, and is not remembered."""

    def __init__(self, broker: Broker, *, ttl_s: float = _TTL_S) -> None:
        self._broker, self._ttl_s = broker, ttl_s
        self._lock = threading.Lock()
        self._until = 0.0
        self._offerings: tuple[Offering, ...] = ()

    def offerings(self) -> tuple[Offering, ...]:
        """All offerings, at most `ttl_s` seconds old."""
        with self._lock:
            if time.monotonic() >= self._until:
                self._offerings = self._broker.catalog()
                self._until = time.monotonic() + self._ttl_s
            return self._offerings

    def find(self, name: str) -> Offering | None:
        """The offering of this name."""
        return next((offering for offering in self.offerings() if offering.name == name), None)
