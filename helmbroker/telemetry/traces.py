"""Spans of traces: from the request to the helm runs of its operation. Without OpenTelemetry they cost nothing.

A span's parent is what the thread carries (`carried`), and within the span the thread carries the span: so a trace
goes through the row of an operation, and through calls to others, in the same way as within a process.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from enum import StrEnum

_LOG = logging.getLogger("helmbroker.traces")
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")


class Role(StrEnum):
    """Which side of a call or of a queue a span is."""

    SERVER = "server"
    CONSUMER = "consumer"
    INTERNAL = "internal"


class Span:
    """A part of a trace. This one is of none."""

    def tell(self, name: str, value: str | int) -> None:
        """An attribute: never a secret, never the text of an error."""

    def fail(self, reason: str) -> None:
        """It has failed; `reason` is public and short."""


NOTHING = Span()


class Traces:
    """Makes spans. This one makes none: nobody has asked for traces."""

    def span(
        self,
        _name: str,
        _role: Role = Role.INTERNAL,
        _attributes: Mapping[str, str | int | None] | None = None,
    ) -> AbstractContextManager[Span]:
        """A span for as long as the block runs; attributes that are None are left out."""
        return nullcontext(NOTHING)


def from_environment(service: str) -> Traces:
    """As OpenTelemetry's own variables say; `service` where they name none. For the process that makes the spans.

    There are traces when OTEL_TRACES_EXPORTER or an OTLP endpoint is set. What hinders them is logged, and hinders
    nothing else.
    """
    exporter = os.environ.get("OTEL_TRACES_EXPORTER") or (
        "otlp" if any(os.environ.get(name) for name in _ENDPOINTS) else "none"
    )
    if exporter == "none" or os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return Traces()
    try:
        from helmbroker.telemetry.otel import exporting  # noqa: PLC0415  # an extra, and heavy
    except ImportError:
        _LOG.error("no traces are made: install OpenTelemetry with `pip install 'helmbroker[traces]'`")
        return Traces()
    try:
        return exporting(service, exporter)
    except ValueError as error:
        _LOG.error("no traces are made: %s", error)
        return Traces()
