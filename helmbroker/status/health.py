"""Whether a process lives, and whether it can work: what its probes say."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping

from helmbroker.database.pulse import Pulse
from helmbroker.kubeapi.errors import KubeError
from helmbroker.kubeapi.port import Kube

LEAVING = "This process is being stopped; send requests to another one."  # of an API that drains
FROZEN_S = 60.0  # longer than a connection to a dead network is waited for
UNANSWERED_S = 15.0
_KEPT_S = 5.0  # anybody may ask for a probe: what it is about is not asked as often
Check = Callable[[], str | None]  # why something cannot be used, or None


def worker_probes(pulse: Pulse, *needs: Check) -> Mapping[str, Check]:
    """The probes of a worker by path. `needs`: what it cannot work without, beside the database."""

    def live() -> str | None:
        """A database that is away is no reason to end a worker: it only must not have stopped trying."""
        hung = pulse.untried_s > FROZEN_S
        return f"nothing was asked of the database for {pulse.untried_s:.0f} s: a thread hangs" if hung else None

    def ready() -> str | None:
        if pulse.unanswered_s > UNANSWERED_S:
            return f"the database has not answered for {pulse.unanswered_s:.0f} s"
        return next((reason for need in needs if (reason := need()) is not None), None)

    return {"/healthz": live, "/readyz": ready}


def cluster(kube: Kube) -> Check:
    """Whether the cluster answers."""

    def check() -> str | None:
        try:
            kube.server_version()
        except KubeError as error:
            return f"the cluster cannot be used: {error}"
        return None

    return Remembered(check)


class Remembered:
    """What was found out, for some seconds. Thread-safe."""

    def __init__(self, find: Check, clock: Callable[[], float] = time.monotonic) -> None:
        self._find, self._clock, self._lock = find, clock, threading.Lock()
        self._found: str | None = None
        self._at = float("-inf")

    def __call__(self) -> str | None:
        with self._lock:
            if self._clock() - self._at > _KEPT_S:
                self._found, self._at = self._find(), self._clock()
            return self._found
