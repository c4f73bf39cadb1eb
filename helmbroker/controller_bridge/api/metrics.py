"""/metrics in Prometheus' text format, for who has the token of the file that the operator names."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from flask import Response, request

from helmbroker.controller_bridge.api.context import api
from helmbroker.controller_bridge.api.errors import NotFound, Unauthenticated
from helmbroker.controller_bridge.numbers import PREFIX, Numbers
from helmbroker.runtime.journal import LoginFault
from helmbroker.telemetry import metric
from helmbroker.telemetry.metric import Metric, Sort
from helmbroker.telemetry.queues import Queues


def _gauge(name: str, meaning: str, *labels: str) -> Metric:
    return Metric(f"{PREFIX}_{name}", Sort.GAUGE, labels, meaning)


_QUEUES = Queues(PREFIX)
_RESOURCES = _gauge("resources", "Resources that live, by the states of both.", "instance", "binding")
_WATCHED = _gauge("apps_watched", "Apps of the Drycc controller that are looked at.")
_MISSING = _gauge("apps_missing", "Apps with resources that the Drycc controller does not know any more.")
_TURNS = _gauge(
    "controller_turns_ahead_seconds",
    "How far ahead the requests that the Drycc controller allows are taken; from 20 s on requests wait.",
)
TOLD = (*_QUEUES.told, _RESOURCES, _WATCHED, _MISSING, _TURNS)


@dataclass(frozen=True)
class Metrics:
    """token: what may ask. numbers: what the database tells; counted: what this process does, as text."""

    token: Callable[[], str]
    numbers: Callable[[], Numbers]
    counted: Callable[[], bytes]


def get_metrics() -> Response:
    """404 when no token is set up; 401 for every other one; 503 while its file is not usable."""
    metrics = api().metrics
    if metrics is None:
        raise NotFound("There are no metrics here: HELMBROKER_BRIDGE_METRICS_TOKEN_FILE is not set.")
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not secrets.compare_digest(token.strip().encode(), metrics.token().encode()):
        raise Unauthenticated("Invalid token.", LoginFault.TOKEN if token else LoginFault.NOTHING)
    return Response(text(metrics.numbers()) + metrics.counted(), content_type=metric.CONTENT_TYPE)


def text(numbers: Numbers) -> bytes:
    """What the database tells, so all replicas tell the same."""
    families = (
        *_QUEUES.families(numbers.work),
        _RESOURCES.family({(*key,): float(number) for key, number in numbers.resources.items()}),
        _WATCHED.family({(): numbers.apps_watched}),
        _MISSING.family({(): numbers.apps_missing}),
        _TURNS.family({(): numbers.turns_ahead_s}),
    )
    return metric.text(metric.told(families))
