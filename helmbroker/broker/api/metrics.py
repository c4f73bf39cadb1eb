"""/metrics in Prometheus' text format: what the database tells when it is asked, so all replicas tell the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from helmbroker.broker.domain.drift import FindingKind
from helmbroker.broker.domain.operation import Phase
from helmbroker.broker.domain.overview import Numbers
from helmbroker.broker.domain.sources import Provenance
from helmbroker.catalog.model import Catalog
from helmbroker.catalog.sources.model import AddonState
from helmbroker.telemetry import metric
from helmbroker.telemetry.metric import Family, Metric, Sort
from helmbroker.telemetry.queues import Queues

PREFIX = "helmbroker"
CONTENT_TYPE = metric.CONTENT_TYPE


def _gauge(name: str, meaning: str, *labels: str) -> Metric:
    return Metric(f"{PREFIX}_{name}", Sort.GAUGE, labels, meaning)


_OF_PLANS = ("service", "plan", "phase")
_QUEUES = Queues(PREFIX)
_INSTANCES = _gauge(
    "instances",
    "Service instances that are recorded, also those that are gone and only remembered.",
    *_OF_PLANS,
)
_BINDINGS = _gauge(
    "bindings",
    "Service bindings that are recorded, also those that are gone and only remembered.",
    *_OF_PLANS,
)
_FINDINGS = _gauge("findings", "Differences between records and cluster, at the last check.", "kind")
_READY = _gauge("source_ready", "1 when a source of addons could be had, when it was asked last.", "source")
_HAD = _gauge("source_had_timestamp_seconds", "When a source could be had last, since the epoch.", "source")
_ADDONS = _gauge("source_addons", "Addons, by what is offered of them.", "source", "state")
TOLD = (*_QUEUES.told, _INSTANCES, _BINDINGS, _FINDINGS, _READY, _HAD, _ADDONS)


def text(numbers: Numbers, catalog: Catalog, found: Provenance) -> bytes:
    """What the database tells. Services and plans by name where the catalog has them, else by id."""
    return metric.text(
        metric.told([*_QUEUES.families(numbers.work), *_of_things(numbers, catalog), *_of_sources(found)])
    )


def _of_things(n: Numbers, catalog: Catalog) -> Iterator[Family]:
    names = {addon.id: addon.name for addon in catalog.addons}
    plans = {plan.id: plan.name for addon in catalog.addons for plan in addon.plans}

    def named(found: Mapping[tuple[str, str, Phase], int]) -> dict[tuple[str, ...], float]:
        return {
            (names.get(service, service), plans.get(plan, plan), str(phase)): number
            for (service, plan, phase), number in found.items()
        }

    yield _INSTANCES.family(named(n.instances))
    yield _BINDINGS.family(named(n.bindings))
    yield _FINDINGS.family({(str(kind),): n.findings.get(kind, 0) for kind in FindingKind})


def _of_sources(found: Provenance) -> Iterator[Family]:
    sources = [(each.standing.name, each) for each in found.sources]
    states = Counter((row.source, row.state) for row in found.listed)
    yield _READY.family({(name,): each.standing.reason is None for name, each in sources})
    yield _HAD.family({(name,): each.had_at for name, each in sources if each.had_at is not None})
    yield _ADDONS.family({(name, str(state)): states[name, state] for name, _ in sources for state in AddonState})
