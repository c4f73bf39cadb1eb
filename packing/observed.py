"""`python -m packing.observed`: writes docs/reference/metrics.md from the code.

What each process tells, in one place: the page, the dashboard and the tests of the alerts are made from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from helmbroker.broker import telemetry_wiring as broker
from helmbroker.broker.api import metrics as broker_told
from helmbroker.controller_bridge import telemetry_wiring as bridge
from helmbroker.controller_bridge.api import metrics as bridge_told
from helmbroker.controller_bridge.numbers import PREFIX
from helmbroker.telemetry import requests
from helmbroker.telemetry.metric import Metric

PAGE = Path("docs/reference/metrics.md")


@dataclass(frozen=True)
class Told:
    """What some processes tell. how: where it is read, and how several of them are put together."""

    title: str
    how: str
    metrics: Sequence[Metric]


_DATABASE = "From the database, at each scrape: every API process tells the same. Take `max`."
_PROCESS = "Counted in the process since its start: every pod tells its own. Take `sum` of `rate` or `increase`."
EVERYTHING = (
    Told("Broker: API, what there is", _DATABASE, broker_told.TOLD),
    Told("Broker: API, requests", _PROCESS, (requests.described(broker_told.PREFIX),)),
    Told("Broker: worker", _PROCESS, (*broker.WORK, broker.HELM)),
    Told("Bridge: API, what there is", _DATABASE, bridge_told.TOLD),
    Told("Bridge: API, requests", _PROCESS, (requests.described(PREFIX),)),
    Told("Bridge: worker", _PROCESS, bridge.WORK),
    Told(
        "Bridge: `watch`", "One process looks after all bindings.", (bridge.BINDINGS, bridge.FAILING, bridge.LOOKS)
    ),
)
_HEAD = """# Metrics

Made by `make metrics-page` from the code. Where they are read, who may, and what to make of them:
[observe](../how-to/observe.md). Alerts are in `charts/helmbroker/files/alerts.yaml`, each with its
[runbook](../how-to/runbooks/README.md); a Grafana dashboard is beside them.

No label has an id of an instance, a name of an app or anything else that users make up: `service`, `plan` and
`source` are names of the operator's catalog (ids of what has left it), or `unknown`; `route` is the pattern of a
path, `none` where there is no such path; the others have a fixed set of values. Every process tells
`process_resident_memory_bytes`, `process_cpu_seconds_total` and the other `process_` metrics of Prometheus' client.
"""


def every_metric() -> list[Metric]:
    """Of all processes."""
    return [each for told in EVERYTHING for each in told.metrics]


def page() -> str:
    """The reference."""
    parts = [_HEAD]
    for told in EVERYTHING:
        rows = [
            f"| `{each.name}` | {each.sort} | {', '.join(f'`{label}`' for label in each.labels)} | {each.unit} "
            f"| {each.meaning} |"
            for each in told.metrics
        ]
        table = ["| metric | type | labels | unit | meaning |", "|---|---|---|---|---|", *rows]
        parts.append("\n".join([f"## {told.title}", "", told.how, "", *table, ""]))
    return "\n".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
