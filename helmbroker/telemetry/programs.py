"""Every run of a program that a worker starts: counted, timed, traced."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry

from helmbroker.telemetry.metric import Metric
from helmbroker.telemetry.traces import Traces

OK = "ok"


class Programs:
    """Runs of one program. word: what an exception of a run is called, a word of few."""

    def __init__(
        self,
        program: str,
        metric: Metric,
        registry: CollectorRegistry,
        traces: Traces,
        word: Callable[[Exception], str],
    ) -> None:
        self._program, self._traces, self._word = program, traces, word
        self._took_s = metric.histogram(registry)

    @contextmanager
    def __call__(self, command: str) -> Iterator[None]:
        """Around one run; `command`: a word of few."""
        began = time.perf_counter()
        with self._traces.span(f"{self._program} {command}") as span:
            result = OK
            try:
                yield
            except Exception as error:
                result = self._word(error)
                span.fail(result)
                raise
            finally:
                self._took_s.labels(command, result).observe(time.perf_counter() - began)
