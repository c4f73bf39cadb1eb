"""What goes wrong, and what clients are told: one table. Bodies are those of the Drycc controller."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping

from flask import Flask, Response, jsonify, request
from werkzeug.exceptions import HTTPException

from helmbroker.controller_bridge.apps.port import (
    AppNotFound,
    AppReleaseError,
    AppsUnavailable,
    CannotRelease,
    TokenFileUnusable,
)
from helmbroker.controller_bridge.broker_port import BrokerError, Unreachable
from helmbroker.controller_bridge.service import Conflicting, NotUnique, Refused
from helmbroker.controller_bridge.tokens import TokensError
from helmbroker.controller_bridge.views import NoSuchResource
from helmbroker.database import OUTAGE
from helmbroker.kubeapi.errors import KubeError
from helmbroker.runtime.journal import LoginFault, shown
from helmbroker.sealing import KeysAway

_LOG = logging.getLogger("helmbroker.bridge")


class Unauthenticated(Exception):
    """No token, or an unknown one. The text is for the client, `fault` for the log alone."""

    def __init__(self, detail: str, fault: LoginFault) -> None:
        super().__init__(detail)
        self.fault = fault


class Forbidden(Exception):
    """The token's owner has no such right in this app."""


class Invalid(Exception):
    """A field of the body that cannot be; `messages` by field."""

    def __init__(self, messages: Mapping[str, list[str]]) -> None:
        super().__init__(", ".join(messages))
        self.messages = messages


class NotFound(Exception):
    """Nothing of this name; the text is the whole body, as the controller does."""


class Unprocessable(CannotRelease):
    """What the body takes away is not there."""


_Body = Callable[[Exception], object]


def _detail(error: Exception) -> object:
    return {"detail": str(error)}


def _fixed(body: object) -> _Body:
    return lambda _error: body


def _fields(error: Exception) -> object:
    return dict(error.messages) if isinstance(error, Invalid) else _detail(error)


_TABLE: Mapping[type[Exception], tuple[int, _Body]] = {
    Unauthenticated: (401, _detail),
    Forbidden: (403, _fixed({"detail": "You do not have permission to perform this action."})),
    Invalid: (400, _fields),
    NotFound: (404, str),
    NoSuchResource: (404, _fixed("No Resource matches the given query.")),
    NotUnique: (400, _fixed({"non_field_errors": ["The fields app, name must make a unique set."]})),
    Refused: (400, _detail),
    Conflicting: (409, _detail),
    AppNotFound: (404, _detail),
    AppsUnavailable: (503, _detail),
    TokenFileUnusable: (
        503,
        _fixed({"detail": "A token file of the bridge is not usable; the log of the bridge says which."}),
    ),
    Unprocessable: (422, _detail),
    AppReleaseError: (400, _detail),
    Unreachable: (503, _detail),
    BrokerError: (503, _detail),
    KubeError: (503, _detail),
    KeysAway: (503, _detail),
    TokensError: (503, _fixed({"detail": "The tokens file is not usable; the log of the bridge says why."})),
    **{away: (503, _fixed({"detail": "The database does not answer. Try again."})) for away in OUTAGE},
}
_HTTP_DETAILS = {
    404: "Not found.",
    405: "Method not allowed.",
    413: "The request body is too large.",
    500: "Server Error",
}


def register(app: Flask) -> None:
    """Answer every error of `app` from the table; framework errors keep their headers, such as Allow."""
    for kind, (status, body) in _TABLE.items():
        app.register_error_handler(kind, _handler(status, body))
    app.register_error_handler(HTTPException, _http)


def _handler(status: int, body: _Body) -> Callable[[Exception], Response]:
    def handle(error: Exception) -> Response:
        if status == 503:
            _LOG.warning("request refused: %s", error)
        response = jsonify(body(error))
        response.status_code = status
        if isinstance(error, Unauthenticated):
            response.headers["WWW-Authenticate"] = "token"
            _LOG.warning("login refused", extra=_asked(error.fault))
        if isinstance(error, AppsUnavailable) and error.after_s > 0:
            response.headers["Retry-After"] = str(math.ceil(error.after_s))
        return response

    return handle


def _asked(fault: LoginFault) -> dict[str, str | None]:
    path = shown(request.path)
    return {"reason": str(fault), "method": request.method, "path": path, "address": request.remote_addr}


def _http(error: HTTPException) -> Response:
    original = error.get_response()
    code = error.code or 500
    response = jsonify({"detail": _HTTP_DETAILS.get(code) or error.description or error.name})
    response.status_code = code
    for name, value in original.headers.items():
        if name.lower() not in ("content-type", "content-length"):
            response.headers[name] = value
    return response
