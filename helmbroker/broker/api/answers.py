"""Bodies and statuses that several routes share."""

from __future__ import annotations

import time
from typing import Any, TypeAlias

from helmbroker.broker.domain.operation import Kind
from helmbroker.broker.service import Accepted
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


def polled(operation: Operation, now: float | None = None) -> Answer:
    """last_operation (OSB items 88, 89, 95). `now`: seconds since the epoch; a wrong clock only moves a hint."""
    body: dict[str, Any] = {"state": _STATES[operation.state], "description": operation.description or "working"}
    if not operation.state.finished:
        young = (time.time() if now is None else now) - operation.created_at < _YOUNG_S
        return (body, 200) if young else (body, 200, {"Retry-After": str(RETRY_AFTER_S)})
    if operation.state is State.FAILED and operation.kind == Kind.DEPROVISION:
        body["instance_usable"] = False  # the default would be true (OSB items 13, 86); nothing can be bound to it
    return body, 200
