"""What the broker's processes tell of their work: which counters, and to whom spans go."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, ProcessCollector

from helmbroker.broker.api.metrics import PREFIX
from helmbroker.broker.domain.errors import Unavailable
from helmbroker.broker.domain.helm_errors import HelmError
from helmbroker.broker.domain.operation import Kind, Schedule
from helmbroker.broker.domain.ports import AddonRevisions
from helmbroker.broker.store.store import SqlStore
from helmbroker.durable import Operation
from helmbroker.telemetry import metric, traces
from helmbroker.telemetry import work as told_work
from helmbroker.telemetry.metric import Metric, Sort
from helmbroker.telemetry.programs import Programs
from helmbroker.telemetry.work import Work

if TYPE_CHECKING:
    from helmbroker.telemetry.requests import Requests

WORK = told_work.described(PREFIX, "service", "plan")
HELM = Metric(
    f"{PREFIX}_helm_run_duration_seconds",
    Sort.HISTOGRAM,
    ("command", "result"),
    "A run of helm, by its command and how it ended: ok, or what went wrong, in a word.",
    (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0),
)
FIELDS = {"instance_id": "instance", "binding_id": "binding"}
_UNKNOWN = ("unknown", "unknown")


def requests_of_api() -> Requests:
    """What learns of each request to the API."""
    from helmbroker.telemetry.requests import Requests  # noqa: PLC0415  # Flask, which a worker does without

    return Requests(PREFIX, traces.from_environment("helmbroker-api"), FIELDS)


@dataclass(frozen=True)
class ToldByWorker:
    """What learns of operations and of runs of helm, and what it has learnt, in Prometheus' text format."""

    work: Work
    helm: Programs
    text: Callable[[], bytes]


def told_by_worker(store: SqlStore, revisions: AddonRevisions) -> ToldByWorker:
    """Of this process."""
    registry, spans = CollectorRegistry(), traces.from_environment("helmbroker-worker")
    ProcessCollector(registry=registry)
    return ToldByWorker(
        Work(WORK, registry, spans, Kind, Schedule, about, lambda operation: plan_of(operation, store, revisions)),
        Programs("helm", HELM, registry, spans, word),
        lambda: metric.text(registry),
    )


def about(operation: Operation) -> Mapping[str, object]:
    """Ids of what it works on, as lines of the log call them."""
    return {field: operation.params.get(name) for name, field in FIELDS.items()}


def plan_of(operation: Operation, store: SqlStore, revisions: AddonRevisions) -> tuple[str, str]:
    """Names of service and plan, as its instance has pinned them; of no instance: `unknown`."""
    try:
        with store.overview() as overview:
            found = overview.pinned(operation.subject)
        if found is None:
            return _UNKNOWN
        addon = revisions.addon(found.addon_digest)
    except (Unavailable, LookupError):  # what is counted must not disturb what is done
        return _UNKNOWN
    plan = addon.plan(found.plan_id)
    return addon.name, found.plan_id if plan is None else plan.name


def word(error: Exception) -> str:
    """How a run of helm has ended, in a word of few."""
    return error.fault.name.lower() if isinstance(error, HelmError) else "error"
