"""Request bodies and pages: reading what clients send, and lists in the dialect of each.

Clients of the Drycc controller's former API ask under /v2, and get pages; those of Drycc's own resources service
ask without it, and get whole lists as bare arrays.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from flask import Response, jsonify, request
from werkzeug.exceptions import BadRequest

from helmbroker.controller_bridge.api.errors import Invalid
from helmbroker.durable import JSON

CONTROLLER = "/v2"
PAGE = 100
MAX_PAGE = 1000
MAX_BODY_BYTES = 256 * 1024


def json_object() -> dict[str, JSON]:
    """The body as a JSON object, whatever its content type says; no body is `{}`. Raises BadRequest, Invalid."""
    if not request.get_data(cache=True):
        return {}
    try:
        value = request.get_json(force=True)
    except RecursionError:
        raise BadRequest("JSON parse error: nested too deep") from None
    except BadRequest:
        raise BadRequest("JSON parse error") from None
    if not isinstance(value, dict):
        kind = type(value).__name__
        raise Invalid({"non_field_errors": [f"Invalid data. Expected a dictionary, but got {kind}."]})
    return value


def window() -> tuple[int, int]:
    """(limit, offset) of the query; what is no number falls back to 100 and 0. An array shows all that may be."""
    limit, offset = _number("limit"), _number("offset")
    return min(limit, MAX_PAGE) if limit else PAGE if of_controller() else MAX_PAGE, offset or 0


def page(results: Sequence[object], count: int, limit: int, offset: int) -> Response:
    """`{"count", "next", "previous", "results"}`, or the results alone."""
    if not of_controller():
        return jsonify(results)
    following = _url(limit, offset + limit) if offset + limit < count else None
    before = _url(limit, max(0, offset - limit)) if offset > 0 else None
    return jsonify({"count": count, "next": following, "previous": before, "results": results})


def of_controller() -> bool:
    """Whether it is asked in the dialect of the controller's former API."""
    return request.path.startswith(f"{CONTROLLER}/")


def moment(seconds: float) -> str:
    """Seconds since the epoch as `YYYY-MM-DDTHH:MM:SSZ`."""
    return dt.datetime.fromtimestamp(seconds, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _number(name: str) -> int | None:
    text = request.args.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _url(limit: int, offset: int) -> str:
    return f"{request.base_url}?limit={limit}" + (f"&offset={offset}" if offset else "")
