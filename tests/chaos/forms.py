"""The forms in which the product is disturbed, long and short."""

from __future__ import annotations

import dataclasses

from tests.chaos.fleet import LEASE_S
from tests.chaos.plan import Kind, Weather
from tests.chaos.run import Form, Length

_WEIGHTS = {
    Kind.KILL_WORKER: 55.0,
    Kind.KILL_API: 25.0,
    Kind.FREEZE_WORKER: 5.0,
    Kind.FREEZE_WORKER_ALONE: 4.0,
    Kind.RESTART_DATABASE: 4.0,
    Kind.CUT_CLUSTER: 3.0,
    Kind.HANG_CLUSTER: 3.0,
    Kind.FILL_DISK: 2.0,
    Kind.ROLLING_RESTART: 1.5,
    Kind.FREEZE_API_SERVER: 1.5,
}
LONG = Form(
    database="postgresql",
    apis=2,
    workers=3,
    probes=9,
    keepers=("redis", "postgresql"),
    weather=Weather(_WEIGHTS, pause_s=(0.4, 2.4), trouble_s=(4.0, 20.0), freeze_s=LEASE_S * 1.6),
)
SHORT = dataclasses.replace(
    LONG, probes=3, keepers=("redis",), weather=dataclasses.replace(LONG.weather, trouble_s=(3.0, 6.0))
)
ON_SQLITE = {"database": "sqlite", "apis": 1, "workers": 2}
FORMS = {"postgresql": LONG, "sqlite": dataclasses.replace(LONG, **ON_SQLITE)}  # type: ignore[arg-type]
ENOUGH = Length(kills=300, operations=200, most_s=1800)
A_LITTLE = Length(kills=15, operations=10, most_s=900)
