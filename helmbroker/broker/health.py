"""Whether a worker lives, and whether it can work: what its probes say."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping

from helmbroker.database.pulse import Pulse
from helmbroker.kubeapi.errors import KubeError
from helmbroker.kubeapi.port import Kube

FROZEN_S = 60.0  # longer than a connection to a dead network is waited for
UNANSWERED_S = 15.0
_KEPT_S = 5.0  # anybody may ask for a probe: the cluster is not asked as often


def probes(pulse: Pulse, kube: Kube, unusable: Callable[[], str | None]) -> Mapping[str, Callable[[], str | None]]:
    """By path. `unusable`: why helm cannot be used, or None."""
    cluster = _Remembered(lambda: _cluster(kube))

    def live() -> str | None:
        """A database that is away is no reason to end a worker: it only must not have stopped trying."""
        hung = pulse.untried_s > FROZEN_S
        return f"nothing was asked of the database for {pulse.untried_s:.0f} s: a thread hangs" if hung else None

    def ready() -> str | None:
        if pulse.unanswered_s > UNANSWERED_S:
            return f"the database has not answered for {pulse.unanswered_s:.0f} s"
        return unusable() or cluster()

    return {"/healthz": live, "/readyz": ready}


def _cluster(kube: Kube) -> str | None:
    try:
        kube.server_version()
    except KubeError as error:
        return f"the cluster cannot be used: {error}"
    return None


class _Remembered:
    """What was found out, for some seconds. Thread-safe."""

    def __init__(self, find: Callable[[], str | None], clock: Callable[[], float] = time.monotonic) -> None:
        self._find, self._clock, self._lock = find, clock, threading.Lock()
        self._found: str | None = None
        self._at = float("-inf")

    def __call__(self) -> str | None:
        with self._lock:
            if self._clock() - self._at > _KEPT_S:
                self._found, self._at = self._find(), self._clock()
            return self._found
