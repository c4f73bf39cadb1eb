"""What a metric is, before it has a value: the one source of /metrics and of docs/reference/metrics.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST

CONTENT_TYPE = CONTENT_TYPE_LATEST
Family: TypeAlias = CounterMetricFamily | GaugeMetricFamily
# one more series for each counter and histogram, which nobody reads
disable_created_metrics()  # type: ignore[no-untyped-call]  # the library has no type for it


class Sort(StrEnum):
    """Prometheus' word for how a metric behaves."""

    GAUGE = "gauge"
    COUNTER = "counter"
    HISTOGRAM = "histogram"


@dataclass(frozen=True)
class Metric:
    """Its name as Prometheus knows it, unit at the end; the labels; a sentence. buckets: of a histogram."""

    name: str
    sort: Sort
    labels: tuple[str, ...]
    meaning: str
    buckets: tuple[float, ...] = ()

    @property
    def unit(self) -> str:
        """From the name; empty for numbers of things."""
        name = self.name.removesuffix("_total")
        return next((unit for unit in ("seconds", "bytes") if name.endswith(f"_{unit}")), "")

    def family(self, values: Mapping[tuple[str, ...], float]) -> Family:
        """With these values, by values of the labels; without labels there is one value, of ()."""
        sort = CounterMetricFamily if self.sort is Sort.COUNTER else GaugeMetricFamily
        family: Family = sort(self.name, self.meaning, labels=self.labels)
        for labels, value in values.items():
            family.add_metric(labels, value)
        return family

    def counter(self, registry: CollectorRegistry) -> Counter:
        return Counter(self.name, self.meaning, self.labels, registry=registry)

    def histogram(self, registry: CollectorRegistry) -> Histogram:
        return Histogram(self.name, self.meaning, self.labels, registry=registry, buckets=self.buckets)


def text(*registries: CollectorRegistry) -> bytes:
    """In Prometheus' text format."""
    return b"".join(generate_latest(registry) for registry in registries)


def told(families: Sequence[Family]) -> CollectorRegistry:
    """What was just found out, as a registry of its own."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Told(families))
    return registry


class _Told:
    def __init__(self, families: Sequence[Family]) -> None:
        self._families = families

    def collect(self) -> Sequence[Family]:
        return self._families
