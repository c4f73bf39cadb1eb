"""Bodies of requests: bytes -> a JSON object, within bounds (OSB items 7, 8)."""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

from flask import Request
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge, RequestTimeout

from helmbroker.broker.domain.errors import BadRequest
from helmbroker.catalog.parameters import nested_deeper

MAX_BODY_BYTES = 1 << 20
MAX_DEPTH = 32  # much deeper ones could not even be stored and read again


def json_object(request: Request) -> dict[str, Any]:
    """The body as a JSON object; one without a content type is read, too. Raises BadRequest."""
    if request.mimetype not in ("", "application/json"):
        raise BadRequest("The body must be sent as application/json.")
    try:
        found = json.loads(data(request), parse_constant=_refuse, parse_float=_finite)
        json.dumps(found, ensure_ascii=False).encode()  # half a surrogate pair is no text
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise BadRequest(f"The body is not valid JSON: {error.msg} ({where}).") from None
    except ValueError:
        raise BadRequest("The body is not valid JSON: a number or a text in it cannot be represented.") from None
    except RecursionError:
        raise BadRequest(f"The body is nested more than {MAX_DEPTH} deep.") from None
    if not isinstance(found, dict):
        raise BadRequest("The body must be a JSON object.")
    if nested_deeper(found, MAX_DEPTH):
        raise BadRequest(f"The body is nested more than {MAX_DEPTH} deep.")
    return found


def data(request: Request) -> bytes:
    """The bytes of the body.

    Raises RequestEntityTooLarge, also for one in chunks, which werkzeug cuts off silently; RequestTimeout;
    BadRequest when it does not arrive whole.
    """
    try:
        body = request.get_data()
    except ClientDisconnected as error:
        if isinstance(error.__context__, TimeoutError):
            raise RequestTimeout("The body did not arrive in time.") from None
        raise BadRequest("The body did not arrive whole, or is not cut into chunks as HTTP wants.") from None
    most = request.max_content_length
    if request.content_length is None and most is not None and len(body) >= most:
        raise RequestEntityTooLarge
    return body


def _refuse(_constant: str) -> NoReturn:
    raise ValueError("NaN and Infinity are not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("larger than any number that can be kept")
    return number
