"""What goes wrong, and when: made from a seed, so that a run can be repeated. Pure."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What is done to the product or to what it stands on."""

    KILL_WORKER = "kill -9 of a worker"
    KILL_API = "kill -9 of an API"
    FREEZE_WORKER = "worker and its helms stopped for longer than the lease, then continued"
    FREEZE_WORKER_ALONE = "worker stopped for longer than the lease while its helms went on, then continued"
    RESTART_DATABASE = "PostgreSQL restarted at once, all sessions lost"
    CUT_CLUSTER = "network to the API server cut: connections reset, new ones refused"
    HANG_CLUSTER = "API server hangs: accepts connections and says nothing"
    FREEZE_API_SERVER = "the API server's process stopped, then continued"
    FILL_DISK = "disk of a worker's data directory full"
    ROLLING_RESTART = "every process restarted in turn with SIGTERM"

    @property
    def is_kill(self) -> bool:
        return self in (Kind.KILL_WORKER, Kind.KILL_API)

    @property
    def is_freeze(self) -> bool:
        return self in (Kind.FREEZE_WORKER, Kind.FREEZE_WORKER_ALONE)


@dataclass(frozen=True)
class Disturbance:
    """One of them: after a pause of `after_s`, to the `target`-th process of its sort, for `lasts_s`."""

    after_s: float
    kind: Kind
    target: int
    lasts_s: float


@dataclass(frozen=True)
class Weather:
    """How often what happens: weights, the pauses between, and how long troubles last (seconds)."""

    weights: dict[Kind, float]
    pause_s: tuple[float, float]
    trouble_s: tuple[float, float]
    freeze_s: float  # longer than the lease


def disturbances(seed: int, weather: Weather) -> Iterator[Disturbance]:
    """Without an end. The same seed and weather give the same ones; what can only happen once at a time waits."""
    chance = random.Random(seed)  # noqa: S311 - to be repeatable is what it is for
    kinds, weights = list(weather.weights), list(weather.weights.values())
    while True:
        after_s = chance.uniform(*weather.pause_s)
        kind = chance.choices(kinds, weights)[0]
        lasts_s = weather.freeze_s if kind.is_freeze else chance.uniform(*weather.trouble_s)
        yield Disturbance(round(after_s, 2), kind, chance.randrange(1000), round(lasts_s, 1))
