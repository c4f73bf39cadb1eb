"""The Flask application: the table of routes, and what happens to every request and every error."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable
from typing import Any

from flask import Flask, Response, jsonify, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from helmbroker.broker.api import headers
from helmbroker.broker.api.bindings import Bindings
from helmbroker.broker.api.headers import BasicUser
from helmbroker.broker.api.instances import Instances
from helmbroker.broker.api.raw_path import IdConverter, RawPath
from helmbroker.broker.domain.errors import OsbError
from helmbroker.broker.service import Service

MAX_BODY_BYTES = 1 << 20
_LOG = logging.getLogger("helmbroker.api")
_OPEN = frozenset({"live", "ready"})  # probes come without credentials


def create_app(
    service: Service, catalog: dict[str, Any], user: BasicUser, ready: Callable[[], str | None]
) -> Flask:
    """`catalog`: the body of GET /v2/catalog. `ready`: why the broker cannot serve, or None."""
    app = Flask("helmbroker", static_folder=None)
    app.url_map.converters["osb"] = IdConverter
    app.url_map.strict_slashes = False
    app.url_map.redirect_defaults = False
    app.url_map.merge_slashes = False
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    app.wsgi_app = RawPath(app.wsgi_app)  # type: ignore[method-assign]  # Flask's documented place for middleware
    _add_routes(app, service, catalog, ready)

    @app.before_request
    def check() -> None:
        if request.endpoint in _OPEN:
            return
        headers.authenticate(request, user)
        if request.url_rule is not None:
            headers.check_version(request)
            headers.check_originating_identity(request)

    @app.after_request
    def complete(response: Response) -> Response:
        response.headers.setdefault("Cache-Control", "no-store")  # credentials belong into no cache
        return headers.echo_identity(request, response)

    app.register_error_handler(OsbError, _refused)
    app.register_error_handler(HTTPException, _not_routed)
    app.register_error_handler(Exception, _broken)
    return app


def _add_routes(app: Flask, service: Service, catalog: dict[str, Any], ready: Callable[[], str | None]) -> None:
    instances, bindings = Instances(service), Bindings(service)
    instance = "/v2/service_instances/<osb:instance_id>"
    binding = f"{instance}/service_bindings/<osb:binding_id>"
    routes: tuple[tuple[str, str, Callable[..., ResponseReturnValue]], ...] = (
        ("GET", "/v2/catalog", _catalog(catalog)),
        ("PUT", instance, instances.put),
        ("GET", instance, instances.get),
        ("DELETE", instance, instances.delete),
        ("GET", f"{instance}/last_operation", instances.last_operation),
        ("PUT", binding, bindings.put),
        ("GET", binding, bindings.get),
        ("DELETE", binding, bindings.delete),
        ("GET", f"{binding}/last_operation", bindings.last_operation),
    )
    for method, rule, view in routes:
        app.add_url_rule(rule, f"{method} {rule}", view, methods=[method], provide_automatic_options=False)
    app.add_url_rule("/healthz", "live", lambda: ({"status": "ok"}, 200))
    app.add_url_rule("/readyz", "ready", _readiness(ready))


def _catalog(body: dict[str, Any]) -> Callable[[], Response]:
    """OSB items 23, 38: made once, with its ETag."""
    text = json.dumps(body, separators=(",", ":"), allow_nan=False)
    etag = hashlib.sha256(text.encode()).hexdigest()[:32]

    def view() -> Response:
        response = Response(text, mimetype="application/json")
        response.set_etag(etag)
        response.headers["Cache-Control"] = "no-cache"
        response.headers["Vary"] = "X-Broker-API-Version"
        response.make_conditional(request)
        return response

    return view


def _readiness(ready: Callable[[], str | None]) -> Callable[[], ResponseReturnValue]:
    def view() -> ResponseReturnValue:
        reason = ready()
        return ({"status": "ok"}, 200) if reason is None else ({"status": reason}, 503)

    return view


def _refused(error: OsbError) -> ResponseReturnValue:
    """OSB item 10: always an object with both fields."""
    response = jsonify(error=error.word, description=error.description)
    response.status_code = error.status
    if isinstance(error, headers.Unauthenticated):
        response.headers["WWW-Authenticate"] = 'Basic realm="helmbroker"'
    return response


def _not_routed(error: HTTPException) -> ResponseReturnValue:
    """OSB item 21: the framework's own errors as JSON, with the framework's headers (Allow)."""
    word = "".join(part.capitalize() for part in (error.name or "Error").split())
    response = jsonify(error=word, description=error.description or error.name)
    response.status_code = error.code or 500
    for name, value in error.get_headers(request.environ):
        if name.lower() not in ("content-type", "content-length"):
            response.headers[name] = value
    return response


def _broken(error: Exception) -> ResponseReturnValue:
    """A fault of ours: the cause goes to the log, never to the caller."""
    _LOG.error("internal error", exc_info=error, extra={"request_identity": headers.request_identity(request)})
    description = "The broker met an internal error; its log has the cause. Try again, or tell the operator."
    return {"error": "InternalError", "description": description}, 500
