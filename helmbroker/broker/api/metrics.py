"""/metrics in Prometheus' text format: read from the database when it is asked for; all replicas tell the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from helmbroker.broker.domain.drift import FindingKind
from helmbroker.broker.domain.operation import Phase
from helmbroker.broker.domain.overview import Numbers
from helmbroker.broker.domain.sources import Provenance
from helmbroker.catalog.model import Catalog
from helmbroker.catalog.sources.model import AddonState

CONTENT_TYPE = CONTENT_TYPE_LATEST
_PHASES = ("service", "plan", "phase")


def text(numbers: Numbers, findings: Mapping[str, int], catalog: Catalog, found: Provenance) -> bytes:
    """All metrics. Services and plans by name where the catalog has them, else by id."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Told(numbers, findings, catalog, found))
    return generate_latest(registry)


class _Told(Collector):
    def __init__(self, numbers: Numbers, findings: Mapping[str, int], catalog: Catalog, found: Provenance) -> None:
        self._numbers, self._findings, self._found = numbers, findings, found
        self._names = {addon.id: addon.name for addon in catalog.addons}
        self._plans = {plan.id: plan.name for addon in catalog.addons for plan in addon.plans}

    def collect(self) -> Iterator[GaugeMetricFamily]:
        n = self._numbers
        operations = GaugeMetricFamily(
            "helmbroker_operations", "Operations that are recorded.", labels=("kind", "state")
        )
        for (kind, state), number in n.operations.items():
            operations.add_metric((kind, str(state)), number)
        yield operations
        yield _one(
            "operations_oldest_queued_seconds", "Age of the oldest operation that is queued.", n.oldest_queued_s
        )
        yield _one("operations_retrying", "Operations that go on and were tried more than once.", n.retrying)
        yield _one(
            "operations_leases_expired",
            "Operations whose worker is gone, and that nobody has taken over yet.",
            n.leases_expired,
        )
        yield _one("workers", "Workers that have told of themselves within 30 s.", n.workers)
        due = GaugeMetricFamily(
            "helmbroker_schedule_due_seconds",
            "Seconds until a schedule is due again; negative when it is late.",
            labels=("kind",),
        )
        for kind, seconds in n.schedules_due_s.items():
            due.add_metric((kind,), seconds)
        yield due
        yield self._by_phase("helmbroker_instances", "Service instances that are recorded.", n.instances)
        yield self._by_phase("helmbroker_bindings", "Service bindings that are recorded.", n.bindings)
        found = GaugeMetricFamily(
            "helmbroker_findings", "Differences between records and cluster, at the last check.", labels=("kind",)
        )
        for kind in FindingKind:
            found.add_metric((str(kind),), self._findings.get(kind, 0))
        yield found
        yield from self._of_sources()

    def _of_sources(self) -> Iterator[GaugeMetricFamily]:
        ready = GaugeMetricFamily(
            "helmbroker_source_ready", "Whether a source could be had, when it was asked last.", labels=("source",)
        )
        had = GaugeMetricFamily(
            "helmbroker_source_had_timestamp_seconds", "When a source could be had last.", labels=("source",)
        )
        addons = GaugeMetricFamily(
            "helmbroker_source_addons", "Addons, by what is offered of them.", labels=("source", "state")
        )
        for each in self._found.sources:
            name = each.standing.name
            ready.add_metric((name,), each.standing.reason is None)
            if each.had_at is not None:
                had.add_metric((name,), each.had_at)
            states = Counter(row.state for row in self._found.listed if row.source == name)
            for state in AddonState:
                addons.add_metric((name, str(state)), states[state])
        yield from (ready, had, addons)

    def _by_phase(self, name: str, about: str, found: Mapping[tuple[str, str, Phase], int]) -> GaugeMetricFamily:
        family = GaugeMetricFamily(name, about, labels=_PHASES)
        for (service, plan, phase), number in found.items():
            labels = (self._names.get(service, service), self._plans.get(plan, plan), str(phase))
            family.add_metric(labels, number)
        return family


def _one(name: str, about: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"helmbroker_{name}", about, value=value)
