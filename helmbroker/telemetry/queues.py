"""Metrics of the operations that a database has, told alike by broker and bridge."""

from __future__ import annotations

from collections.abc import Iterator

from helmbroker.status.numbers import WorkNumbers
from helmbroker.telemetry.metric import Family, Metric, Sort


class Queues:
    """`told`: their descriptions, for the process whose metrics begin with `prefix`."""

    def __init__(self, prefix: str) -> None:
        def gauge(name: str, meaning: str, *labels: str) -> Metric:
            return Metric(f"{prefix}_{name}", Sort.GAUGE, labels, meaning)

        self._operations = gauge("operations", "Operations that are recorded, but for schedules.", "kind", "state")
        self._oldest = gauge("operations_oldest_queued_seconds", "Age of the oldest operation that is queued.")
        self._retrying = gauge("operations_retrying", "Operations that go on and were tried more than once.")
        self._expired = gauge(
            "operations_leases_expired", "Operations whose worker is gone, and that nobody has taken over yet."
        )
        self._workers = gauge("workers", "Workers that have told of themselves within 30 s.")
        self._due = gauge(
            "schedule_due_seconds",
            "Seconds until a schedule is due again; negative when it is late.",
            "kind",
        )
        self.told = (self._operations, self._oldest, self._retrying, self._expired, self._workers, self._due)

    def families(self, n: WorkNumbers) -> Iterator[Family]:
        """With the values of one moment."""
        yield self._operations.family(
            {(kind, str(state)): number for (kind, state), number in n.operations.items()}
        )
        yield self._oldest.family({(): n.oldest_queued_s})
        yield self._retrying.family({(): n.retrying})
        yield self._expired.family({(): n.leases_expired})
        yield self._workers.family({(): n.workers})
        yield self._due.family({(kind,): seconds for kind, seconds in n.schedules_due_s.items()})
