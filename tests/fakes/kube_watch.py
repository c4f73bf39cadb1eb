"""Watches of a FakeKube: what is written is told to everyone who watches, until their time is over."""

from __future__ import annotations

import queue
import time
from collections.abc import Iterator

from helmbroker.kubeapi.errors import KubeError
from helmbroker.kubeapi.port import Change, Obj
from tests.fakes.kube_fields import copied

Key = tuple[str, str | None, str]


class Watches:
    """All that are open. Thread-safe."""

    def __init__(self) -> None:
        self._open: list[tuple[str, str | None, queue.SimpleQueue[Change | KubeError]]] = []

    def begin(self, kind: str, namespace: str | None, for_s: float) -> Iterator[Change]:
        told: queue.SimpleQueue[Change | KubeError] = queue.SimpleQueue()
        self._open.append((kind, namespace, told))
        return self._changes(told, time.monotonic() + for_s)

    def tell(self, key: Key, obj: Obj, *, deleted: bool = False) -> None:
        for kind, namespace, told in self._open:
            if kind == key[0] and namespace in (None, key[1]):
                told.put(Change(copied(obj), deleted=deleted))

    def fail(self, error: KubeError) -> None:
        """Every watch that is open now ends with this."""
        for _, _, told in self._open:
            told.put(error)
        self._open = []

    def _changes(self, told: queue.SimpleQueue[Change | KubeError], until: float) -> Iterator[Change]:
        while (left_s := until - time.monotonic()) > 0:
            try:
                found = told.get(timeout=left_s)
            except queue.Empty:
                return
            if isinstance(found, KubeError):
                raise found
            yield found
