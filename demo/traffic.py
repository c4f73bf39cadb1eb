"""The load on the app while everything changes below it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from demo import manifests
from demo.cluster import Cluster
from demo.places import APP
from demo.waiting import until

POD = "load"
NEWS_S = 60.0  # the pod writes once a second
LOOK_S = 0.4


@dataclass(frozen=True)
class Totals:
    """What the requests have come to so far."""

    at: float  # epoch seconds, the cluster's clock
    ok: int
    failed: int
    by_release: dict[str, int]  # app release -> good answers
    last: dict[str, Any]  # the last good answer
    errors: list[str]
    ended: bool

    @classmethod
    def of(cls, line: str) -> Totals:
        """A line of the pod's log. Raises ValueError, KeyError."""
        content = json.loads(line)
        names = ("at", "ok", "failed", "by_release", "last", "errors")
        return cls(**{name: content[name] for name in names}, ended=bool(content.get("end")))


class Traffic:
    """The pod that requests the app, and its log."""

    def __init__(self, cluster: Cluster, image: str) -> None:
        self._cluster = cluster
        self._image = image

    def start(self) -> None:
        """Begin, and wait for the first good answer."""
        self._cluster.create(manifests.load(self._image))
        self._cluster.await_pod(APP, POD)
        self.await_(lambda totals: totals.ok > 0, "the first good answer of the app")

    def totals(self) -> Totals | None:
        """The newest line of the log; None when there is none yet."""
        line = self._cluster.last_lines(APP, POD, 1)
        try:
            return Totals.of(line)
        except (ValueError, KeyError):
            return None

    def two_moments(self) -> tuple[Totals, Totals]:
        """Totals of two moments after this call, a second apart or more."""
        known = self.await_(lambda _totals: True, "a line of the load's log")
        earlier = self.await_(lambda totals: totals.at > known.at + 0.5, "news from the load")
        return earlier, self.await_(lambda totals: totals.at > earlier.at + 0.5, "more news from the load")

    def await_(self, fits: Callable[[Totals], bool], what: str) -> Totals:
        """The first totals that fit."""

        def look() -> Totals | None:
            totals = self.totals()
            return totals if totals and fits(totals) else None

        return until(look, within_s=NEWS_S, what=what, why=self._why, every_s=LOOK_S)

    def finish(self) -> Totals:
        """End the load; everything that it sent is answered and counted."""
        self._cluster.execute(APP, POD, "kill 1")  # its own shell may end with the pod
        return self.await_(lambda totals: totals.ended, "the end of the load")

    def _why(self) -> str:
        return f"its log ends with: {self._cluster.last_lines(APP, POD, 1) or 'nothing'}; {self._cluster.why(APP)}"
