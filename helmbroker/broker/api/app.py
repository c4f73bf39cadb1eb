"""The Flask application: the table of routes, and what happens to every request and every error."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import wraps
from http import HTTPStatus

from flask import Flask, Response, g, jsonify, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from helmbroker.audit import Actor, acting
from helmbroker.broker.api import gating, headers, journal
from helmbroker.broker.api.admin import Admin
from helmbroker.broker.api.answers import Answer
from helmbroker.broker.api.auth.admin import NotAdmin
from helmbroker.broker.api.auth.chain import Authentication, Unauthenticated
from helmbroker.broker.api.bindings import Bindings
from helmbroker.broker.api.bodies import MAX_BODY_BYTES
from helmbroker.broker.api.catalog import CatalogView
from helmbroker.broker.api.document import DocumentView
from helmbroker.broker.api.gating import Shape
from helmbroker.broker.api.instances import Instances
from helmbroker.broker.api.raw_path import IdConverter, RawPath
from helmbroker.broker.domain.errors import OsbError
from helmbroker.broker.service import Service
from helmbroker.catalog.model import Catalog
from helmbroker.telemetry.requests import Requests

_LOG = logging.getLogger("helmbroker.api")
_OPEN = frozenset({"live", "ready"})  # probes come without credentials
_DOCUMENT = "document"
_FOR_ADMINS = re.compile(r"/+(admin|metrics)(/|$)")
# of the framework's own errors; its texts are meant for people in front of a browser
_TEXTS: dict[int | None, str] = {
    HTTPStatus.NOT_FOUND: "There is nothing at this path; /openapi.yaml describes what there is.",
    HTTPStatus.METHOD_NOT_ALLOWED: "This path does not take this method; Allow names those that it takes.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: f"The body must have at most {MAX_BODY_BYTES} bytes.",
}


def create_app(
    service: Service,
    catalog: Callable[[], Catalog],
    authentication: Authentication,
    ready: Callable[[], str | None],
    *,
    missing_version_status: int = HTTPStatus.BAD_REQUEST,
    admin: Admin | None = None,
    facts: Callable[[], Mapping[str, str]] = dict,
    requests: Requests | None = None,
) -> Flask:
    """`catalog`: says which one is offered now. `ready`: why the broker cannot serve, or None.

    `missing_version_status`: 400, or 412 for checkers that expect what was right before 2.16 (OSB item 3).
    `admin`: what operators look at; they have logins of their own. `facts`: what else readiness tells. `requests`:
    what learns of each of them.
    """
    app = Flask("helmbroker", static_folder=None)
    app.url_map.converters["osb"] = IdConverter
    app.url_map.strict_slashes = False
    app.url_map.redirect_defaults = False
    app.url_map.merge_slashes = False
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    app.wsgi_app = RawPath(app.wsgi_app)  # type: ignore[method-assign]  # Flask's documented place for middleware
    if requests is not None:
        requests.watch(app)
    _add_routes(app, service, catalog)
    _add_probes(app, ready, facts)
    if admin is not None:
        _add_admin_routes(app, admin)
    app.before_request(_check(authentication, admin, missing_version_status))
    app.after_request(_complete)
    app.teardown_request(lambda _error: g.pop("acts", ExitStack()).close())
    app.register_error_handler(OsbError, _refused)
    app.register_error_handler(HTTPException, _not_routed)
    app.register_error_handler(Exception, _broken)
    return app


def _check(authentication: Authentication, admin: Admin | None, missing_version_status: int) -> Callable[[], None]:
    """Who calls, and in which words: before anything else about a request is looked at."""

    def check() -> None:
        g.acts = ExitStack()
        if request.endpoint in _OPEN:
            return
        if admin is not None and _FOR_ADMINS.match(request.path):
            try:
                g.caller = admin.admins.caller(request)
            except NotAdmin as error:
                g.caller = error.caller
                raise
            g.acts.enter_context(acting(Actor(f"operator:{g.caller.name}")))
            return
        g.caller = authentication.caller(request)
        if request.url_rule is not None and request.endpoint != _DOCUMENT:
            g.api_minor = headers.api_minor(request, missing_version_status)
            g.origin = headers.originating_identity(request)
            g.acts.enter_context(acting(Actor(f"platform:{g.caller.name}", g.origin and str(g.origin))))

    return check


def _complete(response: Response) -> Response:
    response.headers.setdefault("Cache-Control", "no-store")  # credentials belong into no cache
    journal.note(request, response)
    return headers.echo_identity(request, response)


def _add_routes(app: Flask, service: Service, catalog: Callable[[], Catalog]) -> None:
    instances, bindings = Instances(service), Bindings(service)
    instance = "/v2/service_instances/<osb:instance_id>"
    binding = f"{instance}/service_bindings/<osb:binding_id>"
    routes: tuple[tuple[str, str, Callable[..., Answer], Shape], ...] = (
        ("PUT", instance, instances.put, Shape.INSTANCE),
        ("GET", instance, instances.get, Shape.FETCHED_INSTANCE),
        ("PATCH", instance, instances.patch, Shape.INSTANCE),
        ("DELETE", instance, instances.delete, Shape.INSTANCE),
        ("GET", f"{instance}/last_operation", instances.last_operation, Shape.OUTCOME),
        ("PUT", binding, bindings.put, Shape.BINDING),
        ("GET", binding, bindings.get, Shape.BINDING),
        ("DELETE", binding, bindings.delete, Shape.BINDING),
        ("GET", f"{binding}/last_operation", bindings.last_operation, Shape.OUTCOME),
    )
    for method, rule, view, shape in routes:
        endpoint = f"{method} {rule}"
        app.add_url_rule(rule, endpoint, _gated(view, shape), methods=[method], provide_automatic_options=False)
    app.add_url_rule("/v2/catalog", "catalog", CatalogView(catalog), provide_automatic_options=False)
    app.add_url_rule("/openapi.yaml", _DOCUMENT, DocumentView(), provide_automatic_options=False)


def _add_probes(app: Flask, ready: Callable[[], str | None], facts: Callable[[], Mapping[str, str]]) -> None:
    app.add_url_rule("/healthz", "live", lambda: ({"status": "ok"}, 200), provide_automatic_options=False)
    app.add_url_rule("/readyz", "ready", _readiness(ready, facts), provide_automatic_options=False)


def _add_admin_routes(app: Flask, admin: Admin) -> None:
    routes: tuple[tuple[str, Callable[..., ResponseReturnValue]], ...] = (
        ("/admin/operations", admin.operations),
        ("/admin/operations/<osb:operation_id>", admin.operation),
        ("/admin/instances", admin.instances),
        ("/admin/instances/<osb:instance_id>", admin.instance),
        ("/admin/events", admin.events),
        ("/admin/doctor", admin.doctor),
        ("/admin/workers", admin.workers),
        ("/admin/findings", admin.findings),
        ("/admin/catalog", admin.catalog),
        ("/admin/openapi.yaml", admin.document),
        ("/metrics", admin.metrics),
    )
    for rule, view in routes:
        app.add_url_rule(rule, rule, view, provide_automatic_options=False)
    upgrades, one = "/admin/upgrades", "/admin/upgrades/<osb:run_id>"
    instance = "/admin/instances/<osb:instance_id>"
    actions: tuple[tuple[str, str, Callable[..., ResponseReturnValue]], ...] = (
        ("POST", "/admin/catalog/refresh", admin.refresh),
        ("POST", "/admin/operations/<osb:operation_id>/cancel", admin.operate.cancel),
        ("POST", f"{instance}/retry", admin.operate.retry),
        ("POST", f"{instance}/bindings/<osb:binding_id>/retry", admin.operate.retry_binding),
        ("POST", "/admin/purges", admin.operate.purge),
        ("GET", "/admin/retired", admin.operate.retired),
        ("POST", "/admin/retired", admin.operate.retire),
        ("GET", upgrades, admin.fleet.runs),
        ("POST", upgrades, admin.fleet.begin),
        ("GET", one, admin.fleet.run),
        ("POST", f"{one}/stop", admin.fleet.stop),
        ("POST", f"{one}/resume", admin.fleet.resume),
    )
    for method, rule, view in actions:
        app.add_url_rule(rule, f"{method} {rule}", view, methods=[method], provide_automatic_options=False)


def _gated(view: Callable[..., Answer], shape: Shape) -> Callable[..., Answer]:
    """OSB 1.14."""

    @wraps(view)
    def gated(**path: str) -> Answer:
        body, *rest = view(**path)
        return (gating.visible(body, shape, g.api_minor), *rest)

    return gated


def _readiness(
    ready: Callable[[], str | None], facts: Callable[[], Mapping[str, str]]
) -> Callable[[], ResponseReturnValue]:
    def view() -> ResponseReturnValue:
        reason = ready()
        return ({"status": "ok", **facts()}, 200) if reason is None else ({"status": reason}, 503)

    return view


def _refused(error: OsbError) -> ResponseReturnValue:
    """OSB items 10, 13: always an object with both fields."""
    body = {"error": error.word, "description": error.description, **error.flags}
    response = jsonify(gating.visible(body, Shape.OUTCOME, g.get("api_minor", gating.NEWEST)))
    response.status_code = error.status
    if error.retry_after_s is not None:
        response.headers["Retry-After"] = str(error.retry_after_s)
    if isinstance(error, Unauthenticated):
        g.login_fault = error.fault
        for challenge in error.challenges:
            response.headers.add("WWW-Authenticate", challenge)
    return response


def _not_routed(error: HTTPException) -> ResponseReturnValue:
    """OSB item 21: the framework's own errors as JSON, with the framework's headers (Allow)."""
    word = "".join(part.capitalize() for part in (error.name or "Error").split())
    response = jsonify(error=word, description=_TEXTS.get(error.code, error.description or error.name))
    response.status_code = error.code or 500
    for name, value in error.get_headers(request.environ):
        if name.lower() not in ("content-type", "content-length"):
            response.headers[name] = value
    return response


def _broken(error: Exception) -> ResponseReturnValue:
    """A fault of ours: the cause goes to the log, never to the caller."""
    _LOG.error("internal error", exc_info=error, extra=journal.fields(request))
    description = "The broker met an internal error; its log has the cause. Try again, or tell the operator."
    return {"error": "InternalError", "description": description}, 500
