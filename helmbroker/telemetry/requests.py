"""Every request to a Flask application: counted, timed, traced, and named in each line of the log."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Mapping
from contextlib import ExitStack
from functools import cache

from flask import Flask, Response, g, request
from prometheus_client import CollectorRegistry, ProcessCollector

from helmbroker.runtime.listening import REQUEST_IDENTITY
from helmbroker.telemetry import metric
from helmbroker.telemetry.carried import IDENTITY, carrying, read
from helmbroker.telemetry.metric import Metric, Sort
from helmbroker.telemetry.traces import Role, Span, Traces

_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0)
_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})
_NO_ROUTE, _NO_METHOD = "none", "other"
_UNTRACED = frozenset({"/healthz", "/readyz", "/metrics"})
_SERVER_ERROR = 500
_VARIABLE = re.compile(r"<(?:\w+:)?(\w+)>")


def described(prefix: str) -> Metric:
    """The metric, for the process whose metrics begin with `prefix`."""
    return Metric(
        f"{prefix}_http_request_duration_seconds",
        Sort.HISTOGRAM,
        ("method", "route", "code"),
        "From the whole header to the answer, by the pattern of the path and the status.",
        _BUCKETS_S,
    )


class Requests:
    """Of one process. `fields`: what a variable of the path is called in lines of the log."""

    def __init__(self, prefix: str, traces: Traces, fields: Mapping[str, str]) -> None:
        self._registry = CollectorRegistry()
        self._took_s = described(prefix).histogram(self._registry)
        self._traces, self._fields = traces, fields
        ProcessCollector(registry=self._registry)

    def watch(self, app: Flask) -> None:
        """Call it before anything else is registered: then it is the first to begin, and the last to end."""
        app.before_request(self._begin)
        app.after_request(self._answered)
        app.teardown_request(lambda _error: g.pop("watched", ExitStack()).close())

    def text(self) -> bytes:
        """What this process counts, in Prometheus' text format."""
        return metric.text(self._registry)

    def _begin(self) -> None:
        g.began, g.watched = time.perf_counter(), ExitStack()
        carrier = read(request.headers.get)
        carrier.setdefault(IDENTITY, uuid.uuid4().hex)
        request.environ[REQUEST_IDENTITY] = carrier[IDENTITY]
        path = request.view_args or {}
        named: dict[str, str | None] = {field: path.get(variable) for variable, field in self._fields.items()}
        g.watched.enter_context(carrying(carrier, **named))
        traced: dict[str, str | int | None] = {"http.request.method": _method(), "http.route": _route()}
        traced |= {f"helmbroker.{name}": value for name, value in named.items()}
        traced["helmbroker.request_identity"] = carrier[IDENTITY]
        traces = Traces() if _route() in _UNTRACED else self._traces
        g.span = g.watched.enter_context(traces.span(f"{_method()} {_route()}", Role.SERVER, traced))

    def _answered(self, response: Response) -> Response:
        labels = (_method(), _route(), str(response.status_code))
        self._took_s.labels(*labels).observe(time.perf_counter() - g.began)
        span: Span = g.span
        span.tell("http.response.status_code", response.status_code)
        if response.status_code >= _SERVER_ERROR:
            span.fail(f"HTTP {response.status_code}")
        return response


def _method() -> str:
    return request.method if request.method in _METHODS else _NO_METHOD


def _route() -> str:
    """The pattern, never the path: clients may make up as many of those as they like."""
    return _NO_ROUTE if request.url_rule is None else _pattern(request.url_rule.rule)


@cache
def _pattern(rule: str) -> str:
    """As OpenAPI writes it."""
    return _VARIABLE.sub(r"{\1}", rule)
