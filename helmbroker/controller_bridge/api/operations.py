"""GET /apps/<app>/resources/<name>/operations/: what was done with a resource, and why it ended as it did."""

from __future__ import annotations

from flask import Response

from helmbroker.controller_bridge.api.bodies import MAX_PAGE, moment, page, window
from helmbroker.controller_bridge.api.context import api
from helmbroker.controller_bridge.operations.progress import described
from helmbroker.durable import JSON, Operation


def list_operations(app: str, name: str) -> Response:
    """One page, newest first; those that have ended are kept for a while."""
    limit, offset = window()
    found = api().service.operations(app, name, most=MAX_PAGE)
    return page([_object(each) for each in found[offset : offset + limit]], len(found), limit, offset)


def _object(operation: Operation) -> dict[str, JSON]:
    ended = operation.finished_at
    return {
        "operation": operation.id,
        "kind": operation.kind,
        "state": str(operation.state),
        "description": described(operation),
        "steps": list(operation.results),
        "owner": str(operation.params["user"]),
        "attempt": operation.attempt,
        "created": moment(operation.created_at),
        "finished": None if ended is None else moment(ended),
        "took_s": None if ended is None else round(ended - operation.created_at, 3),
    }
