"""What stands around pods that do not run: their claims, their nodes, and how much room the nodes have.

Looked at only when it may be to blame. Nodes and the pods of others need rights over the whole cluster, which a
broker need not have: without them the sentence is shorter, and nothing fails.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence

from helmbroker.broker.kube.readiness import claims_of
from helmbroker.kubeapi import pods, room
from helmbroker.kubeapi.errors import Forbidden
from helmbroker.kubeapi.port import Kube, Obj

_KEPT_S = 30.0  # all pods of a cluster are a long list, and whoever waits looks every few seconds


class Surroundings:
    """Thread-safe. Raises what Kube raises, but Forbidden."""

    def __init__(self, kube: Kube, clock: Callable[[], float] = time.monotonic) -> None:
        self._kube, self._clock = kube, clock
        self._lock = threading.Lock()
        self._free: Mapping[str, room.Amounts] | None = None
        self._read_at = float("-inf")

    def of(self, namespace: str, found: Sequence[Obj]) -> pods.Around:
        """Of these pods of one workload."""
        names = sorted(claims_of(found))
        claims = {name: claim for name in names if (claim := self._get("PersistentVolumeClaim", namespace, name))}
        free = self._room() if any(map(pods.lacks_room, found)) else None
        doubted = sorted({pod["spec"]["nodeName"] for pod in found if pods.doubts_its_node(pod)})
        nodes = {name: node for name in doubted if (node := self._get("Node", None, name))}
        return pods.Around(claims, free, nodes)

    def _get(self, kind: str, namespace: str | None, name: str) -> Obj | None:
        try:
            return self._kube.get(kind, namespace, name)
        except Forbidden:
            return None

    def _room(self) -> Mapping[str, room.Amounts] | None:
        with self._lock:
            if self._clock() - self._read_at > _KEPT_S:
                try:
                    self._free = room.free(self._kube.list("Node", None), self._kube.list("Pod", None))
                except Forbidden:
                    self._free = None
                self._read_at = self._clock()
            return self._free
