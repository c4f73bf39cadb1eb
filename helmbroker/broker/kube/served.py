"""What the cluster serves, asked for now and then: it changes when somebody upgrades it or adds kinds."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from helmbroker.broker.domain.cluster import Capabilities
from helmbroker.broker.kube.translated import translated
from helmbroker.kubeapi.port import Kube

_KEPT_S = 300.0


class Served:
    """Thread-safe."""

    def __init__(self, kube: Kube, clock: Callable[[], float] = time.monotonic) -> None:
        self._kube, self._clock = kube, clock
        self._lock = threading.Lock()
        self._known: Capabilities | None = None
        self._read_at = 0.0

    def capabilities(self) -> Capabilities:
        """See the port Cluster. Raises ClusterUnavailable, ClusterRefused."""
        with self._lock:
            if self._known is None or self._clock() - self._read_at > _KEPT_S:
                with translated():
                    self._known = Capabilities(self._kube.server_version(), self._kube.api_versions())
                self._read_at = self._clock()
            return self._known
