"""Who asked for what: a line in the log for each request that changes something, and for each refused login."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from flask import Request, Response, g

from helmbroker.broker.api import headers
from helmbroker.broker.api.auth.chain import Caller
from helmbroker.runtime.journal import LoginFault, shown

_LOG = logging.getLogger("helmbroker.api")
_CHANGES = frozenset({"PUT", "POST", "PATCH", "DELETE"})  # POST: of operators


def fields(request: Request) -> dict[str, Any]:
    """What a line of the log says of a request (OSB items 15, 16): neither its query, nor headers, nor the body."""
    caller: Caller | None = g.get("caller")
    origin: headers.OriginatingIdentity | None = g.get("origin")
    said = {
        "method": request.method,
        "path": shown(request.path),
        "caller": caller and caller.name,
        "caller_how": caller and caller.how,
        "origin_platform": origin and origin.platform,
        "origin_user": origin and origin.user,
        "request_identity": headers.request_identity(request),
    }
    return {name: value for name, value in said.items() if value is not None}


def note(request: Request, response: Response) -> None:
    """Write down what was asked for and answered, where somebody may want to know later."""
    if response.status_code == HTTPStatus.UNAUTHORIZED:
        why: LoginFault = g.login_fault
        _LOG.warning("login refused", extra={**fields(request), "reason": str(why), "address": request.remote_addr})
    elif request.method in _CHANGES:
        begun = {"operation": _operation(response.get_json())} if _is_async(response) else {}
        _LOG.info("change requested", extra={**fields(request), **begun, "status": response.status_code})


def _is_async(response: Response) -> bool:
    """Whether an operation goes on when the request has ended."""
    return response.status_code == HTTPStatus.ACCEPTED


def _operation(body: Mapping[str, Any]) -> object:
    """Its id: platforms are told that alone, operators the operation itself."""
    return body.get("operation", body.get("id"))


def compare_platforms(request: Request, context: object) -> None:
    """OSB item 16: a platform has to call itself the same in both places; where it does not, operators are told."""
    origin: headers.OriginatingIdentity | None = g.get("origin")
    platform = context.get("platform") if isinstance(context, dict) else None
    if origin is not None and platform is not None and platform != origin.platform:
        _LOG.warning("context.platform is not that of the originating identity", extra=fields(request))
