"""Traces whose spans a test reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from helmbroker.telemetry.otel import OtelTraces


class Spans:
    """`traces` for whatever makes spans; they can be read when they have ended."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.traces = OtelTraces(provider)

    @property
    def ended(self) -> tuple[ReadableSpan, ...]:
        return self._exporter.get_finished_spans()

    def named(self, name: str) -> ReadableSpan:
        """The only one of this name."""
        (found,) = [each for each in self.ended if each.name == name]
        return found

    def tree(self) -> dict[str, str | None]:
        """The name of the parent of each span; None: it has none here."""
        names = {_id(each): each.name for each in self.ended}
        return {
            each.name: None if each.parent is None else names.get(f"{each.parent.span_id:016x}")
            for each in self.ended
        }

    def attributes(self) -> Mapping[str, Any]:
        """All of all spans."""
        return {
            f"{each.name} {key}": value for each in self.ended for key, value in (each.attributes or {}).items()
        }

    def traces_seen(self) -> set[str]:
        """Ids of their traces."""
        return {f"{each.context.trace_id:032x}" for each in self.ended}


def _id(span: ReadableSpan) -> str:
    return f"{span.context.span_id:016x}"
