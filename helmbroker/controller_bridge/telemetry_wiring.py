"""What the bridge's processes tell of their work: which counters, and to whom spans go."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, ProcessCollector

from helmbroker.controller_bridge.model import Kind, Schedule
from helmbroker.controller_bridge.numbers import PREFIX, read
from helmbroker.controller_bridge.settings import Settings
from helmbroker.controller_bridge.store import Store
from helmbroker.durable import Operation
from helmbroker.telemetry import metric, traces
from helmbroker.telemetry import work as told_work
from helmbroker.telemetry.metric import Metric, Sort
from helmbroker.telemetry.work import Work

if TYPE_CHECKING:
    from helmbroker.controller_bridge.api.metrics import Metrics
    from helmbroker.controller_bridge.watch.loop import Loop
    from helmbroker.telemetry.requests import Requests

WORK = told_work.described(PREFIX)
BINDINGS = Metric(
    f"{PREFIX}_watch_bindings", Sort.GAUGE, ("kind",), "Bindings made by others that `watch` looks after."
)
FAILING = Metric(
    f"{PREFIX}_watch_bindings_failing", Sort.GAUGE, ("kind",), "Those whose last look failed, and is tried again."
)
LOOKS = Metric(f"{PREFIX}_watch_looks_total", Sort.COUNTER, ("kind",), "Looks at bindings, each time one changed.")
FIELDS = {"app": "app", "name": "name"}  # of paths of the API
PARAMS = ("instance", "resource", "app")  # of operations


def requests_of_api() -> Requests:
    """What learns of each request to the API."""
    from helmbroker.telemetry.requests import Requests  # noqa: PLC0415  # Flask, which a worker does without

    return Requests(PREFIX, traces.from_environment("helmbroker-bridge-api"), FIELDS)


def metrics_of_api(settings: Settings, store: Store, requests: Requests) -> Metrics | None:
    """What is shown to who has the token; None: nobody is meant to have one."""
    if settings.metrics_token_file is None:
        return None
    from helmbroker.controller_bridge.api.metrics import Metrics  # noqa: PLC0415  # as above
    from helmbroker.controller_bridge.apps.drycc.client import TokenFile  # noqa: PLC0415

    token = TokenFile(settings.metrics_token_file, "the token of whoever reads metrics")
    return Metrics(token, lambda: read(store), requests.text)


@dataclass(frozen=True)
class ToldByWorker:
    """What learns of operations, and what it has learnt, in Prometheus' text format."""

    work: Work
    text: Callable[[], bytes]


def told_by_worker() -> ToldByWorker:
    """Of this process."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    spans = traces.from_environment("helmbroker-bridge-worker")
    return ToldByWorker(Work(WORK, registry, spans, Kind, Schedule, about), lambda: metric.text(registry))


def about(operation: Operation) -> Mapping[str, object]:
    """Ids of what it works on, as lines of the log call them."""
    return {name: operation.params.get(name) for name in PARAMS}


def told_by_watch(loop: Loop) -> Callable[[], bytes]:
    """What `watch` looks after, in Prometheus' text format."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)

    def text() -> bytes:
        seen = loop.seen()
        families = (
            BINDINGS.family({(kind,): each.bindings for kind, each in seen.items()}),
            FAILING.family({(kind,): each.failing for kind, each in seen.items()}),
            LOOKS.family({(kind,): each.looks for kind, each in seen.items()}),
        )
        return metric.text(registry, metric.told(families))

    return text
