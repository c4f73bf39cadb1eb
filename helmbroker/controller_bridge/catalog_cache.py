"""The brokers' catalog, asked for at most once per `ttl_s` seconds."""

from __future__ import annotations

import threading
import time

from helmbroker.controller_bridge.broker_port import Unreachable
from helmbroker.controller_bridge.brokers import Brokers, Catalog

_TTL_S = 30.0
_AWAY_S = 5.0  # whoever is away is asked again sooner


class CachedCatalog:
    """Safe for threads."""

    def __init__(self, brokers: Brokers, *, ttl_s: float = _TTL_S) -> None:
        self._brokers, self._ttl_s = brokers, ttl_s
        self._lock = threading.Lock()
        self._until = 0.0
        self._catalog = Catalog(())

    def now(self) -> Catalog:
        """The catalog, at most `ttl_s` seconds old. Raises Unreachable when no broker offers anything."""
        with self._lock:
            if time.monotonic() >= self._until:
                self._catalog = self._brokers.catalog()
                kept_s = min(self._ttl_s, _AWAY_S) if self._catalog.away else self._ttl_s
                self._until = time.monotonic() + kept_s
            if self._catalog.away and not self._catalog.offered:
                raise Unreachable("; ".join(self._catalog.away.values()))
            return self._catalog
