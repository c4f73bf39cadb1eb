"""Bodies and statuses that several routes share."""

from __future__ import annotations

import math
import time
from datetime import UTC, datetime
from typing import Any, TypeAlias

from helmbroker.broker.domain.operation import aftermath
from helmbroker.broker.operations.progress import described
from helmbroker.broker.service import Accepted, BindingView
from helmbroker.durable import Operation, State

Answer: TypeAlias = tuple[dict[str, Any], int] | tuple[dict[str, Any], int, dict[str, str]]

RETRY_AFTER_S = 2
_YOUNG_S = 15.0  # most operations end in seconds; until then polling, which reads a row, need not be held back

_STATES = {
    State.QUEUED: "in progress",
    State.RUNNING: "in progress",
    State.SUCCEEDED: "succeeded",
    State.FAILED: "failed",
    State.CANCELLED: "failed",
}


def accepted(answer: Accepted) -> Answer:
    """202 (OSB items 45, 52)."""
    return {"operation": answer.operation_id}, 202


def bound(view: BindingView) -> dict[str, Any]:
    """What a binding delivers (OSB items 103-105)."""
    times = {"expires_at": view.expires_at, "renew_before": view.renew_before}
    metadata = {name: _timestamp(value) for name, value in times.items() if value is not None}
    return {
        "credentials": view.credentials,
        **({"metadata": metadata} if metadata else {}),
        **({"endpoints": view.endpoints} if view.endpoints else {}),
    }


def _timestamp(seconds: float) -> str:
    """yyyy-mm-ddThh:mm:ss.sZ (OSB item 104). Rounded down: it is never later than it is."""
    tenths = math.floor(seconds * 10)
    return f"{datetime.fromtimestamp(tenths // 10, UTC):%Y-%m-%dT%H:%M:%S}.{tenths % 10}Z"


def polled(operation: Operation, now: float | None = None) -> Answer:
    """last_operation (OSB items 88, 89, 95, 96). `now`: seconds since the epoch; it only moves a hint."""
    body: dict[str, Any] = {"state": _STATES[operation.state], "description": described(operation) or "working"}
    if not operation.state.finished:
        young = (time.time() if now is None else now) - operation.created_at < _YOUNG_S
        return (body, 200) if young else (body, 200, {"Retry-After": str(RETRY_AFTER_S)})
    left = aftermath(operation)
    if left is not None:  # the defaults would be true (OSB items 13, 77, 86)
        body["instance_usable"] = left.usable
        if left.repeatable is not None:
            body["update_repeatable"] = left.repeatable
    return body, 200
