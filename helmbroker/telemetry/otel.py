"""Spans by OpenTelemetry. Loaded only where traces are wanted (the extra `traces`)."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from helmbroker.telemetry.carried import TRACEPARENT, TRACESTATE, carried, carrying
from helmbroker.telemetry.traces import Role, Span, Traces

_PROPAGATOR = TraceContextTextMapPropagator()
_KINDS = {
    Role.SERVER: trace.SpanKind.SERVER,
    Role.CONSUMER: trace.SpanKind.CONSUMER,
    Role.INTERNAL: trace.SpanKind.INTERNAL,
}


class OtelTraces(Traces):
    """Spans of this provider."""

    def __init__(self, provider: trace.TracerProvider) -> None:
        self._tracer = provider.get_tracer("helmbroker")

    @contextmanager
    def span(
        self,
        name: str,
        role: Role = Role.INTERNAL,
        attributes: Mapping[str, str | int | None] | None = None,
    ) -> Iterator[Span]:
        """See Traces.span. Exceptions pass, and are not told of: their texts may be secret."""
        before = carried()
        given = {key: value for key, value in (attributes or {}).items() if value is not None}
        parent = _PROPAGATOR.extract(before)
        begun = self._tracer.start_span(name, context=parent, kind=_KINDS[role], attributes=given)
        context: dict[str, str] = {}
        _PROPAGATOR.inject(context, trace.set_span_in_context(begun))
        others = {key: value for key, value in before.items() if key not in (TRACEPARENT, TRACESTATE)}
        try:
            with carrying(others | context):
                yield _OtelSpan(begun)
        finally:
            begun.end()


class _OtelSpan(Span):
    def __init__(self, span: trace.Span) -> None:
        self._span = span

    def tell(self, name: str, value: str | int) -> None:
        self._span.set_attribute(name, value)

    def fail(self, reason: str) -> None:
        self._span.set_status(trace.Status(trace.StatusCode.ERROR, reason))


def exporting(service: str, exporter: str) -> Traces:
    """Sends spans in batches: `otlp`, over HTTP, or `console`. Raises ValueError for others.

    Sampling, batches, headers and the service's name are read by OpenTelemetry itself from its variables.
    """
    if exporter not in ("otlp", "console"):
        raise ValueError(f"OTEL_TRACES_EXPORTER is {exporter!r}: use otlp, console or none")
    named = "OTEL_SERVICE_NAME" in os.environ or f"{SERVICE_NAME}=" in os.environ.get(
        "OTEL_RESOURCE_ATTRIBUTES", ""
    )
    provider = TracerProvider(resource=Resource.create({} if named else {SERVICE_NAME: service}))
    provider.add_span_processor(
        BatchSpanProcessor(OTLPSpanExporter() if exporter == "otlp" else ConsoleSpanExporter())
    )
    return OtelTraces(provider)
