"""Every claim of an operation: counted, timed, traced, and named in each line of the log."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager

from prometheus_client import CollectorRegistry

from helmbroker.durable import Observer, Operation, State
from helmbroker.telemetry.carried import IDENTITY, carrying
from helmbroker.telemetry.metric import Metric, Sort
from helmbroker.telemetry.traces import Role, Span, Traces

_LOG = logging.getLogger("helmbroker.operations")
_BUCKETS_S = (0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0)


def described(prefix: str, *labels: str) -> tuple[Metric, Metric, Metric, Metric]:
    """Durations of what ended, retries, lost leases, runs of schedules; `labels`: what else an operation is of."""
    return (
        Metric(
            f"{prefix}_operation_duration_seconds",
            Sort.HISTOGRAM,
            ("kind", "state", *labels),
            "From asking for an operation to its end, of those that this worker has ended.",
            _BUCKETS_S,
        ),
        Metric(
            f"{prefix}_operation_retries_total",
            Sort.COUNTER,
            ("kind",),
            "Attempts that failed for now, and will be repeated.",
        ),
        Metric(
            f"{prefix}_leases_lost_total",
            Sort.COUNTER,
            ("kind",),
            "Operations that this worker had to leave to others, because it could not renew its lease in time.",
        ),
        Metric(
            f"{prefix}_schedule_runs_total",
            Sort.COUNTER,
            ("kind", "state"),
            "Runs of what is done again and again, by how they ended, of those that this worker has ended.",
        ),
    )


class Work:
    """Of one worker; give it to it as `observed`.

    kinds, schedules: their counters begin at 0, as the first increase of one that was not there is not seen.
    about: ids of what an operation works on, for logs and spans. labels: values of `described`'s labels.
    """

    def __init__(
        self,
        metrics: tuple[Metric, Metric, Metric, Metric],
        registry: CollectorRegistry,
        traces: Traces,
        kinds: Iterable[str],
        schedules: Iterable[str],
        about: Callable[[Operation], Mapping[str, object]],
        labels: Callable[[Operation], tuple[str, ...]] = lambda _operation: (),
    ) -> None:
        duration, retries, lost, runs = metrics
        self._took_s = duration.histogram(registry)
        self._retries, self._lost, self._runs = (each.counter(registry) for each in (retries, lost, runs))
        self._traces, self._about, self._labels = traces, about, labels
        for kind in kinds:
            self._retries.labels(kind)
            self._lost.labels(kind)
        for kind in schedules:
            for state in (State.SUCCEEDED, State.FAILED):
                self._runs.labels(kind, str(state))

    @contextmanager
    def __call__(self, operation: Operation) -> Iterator[Observer]:
        carrier = {IDENTITY: operation.id} | {name: str(value) for name, value in operation.carrier.items()}
        about = {"operation": operation.id, **self._about(operation), "attempt": operation.attempt}
        # what is done again and again would be traces of nothing
        traces = self._traces if operation.every_s is None else Traces()
        named = {f"helmbroker.{name}": None if value is None else str(value) for name, value in about.items()}
        with (
            carrying(carrier, **about),
            traces.span(f"operation {operation.kind}", Role.CONSUMER, named) as span,
            ExitStack() as steps,
        ):
            _LOG.log(_level(operation), "operation started")
            yield _Claim(self, operation, traces, span, steps)

    def left(self, operation: Operation, after: Operation | None) -> None:
        """Count how a claim has ended."""
        if after is None:
            self._lost.labels(operation.kind).inc()
        elif after.state is State.QUEUED:
            if after.attempt == operation.attempt:  # waiting takes its attempt away again
                self._retries.labels(operation.kind).inc()
        elif operation.every_s is not None:
            self._runs.labels(operation.kind, str(after.state)).inc()
        elif after.finished_at is not None:
            labels = (operation.kind, str(after.state), *self._labels(operation))
            self._took_s.labels(*labels).observe(after.finished_at - after.created_at)


class _Claim(Observer):
    """A span for each step, for as long as it is looked at."""

    def __init__(self, work: Work, operation: Operation, traces: Traces, span: Span, steps: ExitStack) -> None:
        self._work, self._operation, self._traces = work, operation, traces
        self._span, self._steps, self._step = span, steps, ""

    def step(self, name: str) -> None:
        if name != self._step:
            self._steps.close()
            self._step = name
            self._steps.enter_context(self._traces.span(f"step {name}"))

    def left(self, after: Operation | None) -> None:
        self._steps.close()
        self._work.left(self._operation, after)
        if after is None:
            _LOG.warning("operation left to others: its lease is lost")
            self._span.fail("its lease is lost")
            return
        same = after.description == self._operation.description
        level = _level(self._operation) if same else logging.INFO
        _LOG.log(level, "operation is now %s: %s", after.state, after.description)
        self._span.tell("helmbroker.state", str(after.state))
        if after.state is State.FAILED:
            self._span.fail(str(after.state))


def _level(operation: Operation) -> int:
    """What is done again and again would drown everything else."""
    return logging.INFO if operation.every_s is None else logging.DEBUG
