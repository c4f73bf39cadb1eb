"""The Flask app: the table of routes, who may use them, and what every answer carries."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from flask import Flask, Response, g, request
from werkzeug.routing import BaseConverter

from helmbroker.audit import Actor, acting
from helmbroker.controller_bridge.api import (
    access,
    binding,
    builds,
    config,
    deploy_hook,
    errors,
    health,
    metrics,
    operations,
    releases,
    resources,
    rotation,
    services,
)
from helmbroker.controller_bridge.api.bodies import CONTROLLER, MAX_BODY_BYTES
from helmbroker.controller_bridge.api.context import EXTENSION, Api, api, require
from helmbroker.controller_bridge.model import Role
from helmbroker.runtime.journal import LoginFault

HEADERS = {"DRYCC_API_VERSION": "2.3", "DRYCC_PLATFORM_VERSION": "2.3.0"}
_HOOK = "/v2/hooks/deploy/"
# the hook has a signature instead of a token, and metrics have a token that is no user's
_OPEN = frozenset({"/healthz", "/readyz", "/metrics", _HOOK, _HOOK.rstrip("/")})
_VIEWER, _MEMBER, _ADMIN = Role.VIEWER, Role.MEMBER, Role.ADMIN


class Route(NamedTuple):
    """One row: a path without `app:` is for every user; with it, for those who have `role` in that app.

    Every path but those of health is served twice: under /v2, and as it stands, for the clients of each.
    """

    method: str
    path: str
    view: Callable[..., Response]
    role: Role


_APP = "/apps/<app:app>/"
_RESOURCES = f"{_APP}resources/"
_RESOURCE = f"{_RESOURCES}<name:name>/"
_RELEASES = f"{_APP}releases/"
_CONFIG = f"{_APP}config/"
_BUILDS = f"{_APP}builds/"
ROUTES = (
    Route("GET", "/resources/services/", services.list_services, _VIEWER),
    Route("GET", "/resources/services/<path:service>/plans/", services.list_plans, _VIEWER),
    Route("GET", _RESOURCES, resources.list_resources, _VIEWER),
    Route("POST", _RESOURCES, resources.create_resource, _MEMBER),
    Route("GET", _RESOURCE, resources.get_resource, _VIEWER),
    Route("PUT", _RESOURCE, resources.update_resource, _MEMBER),
    Route("DELETE", _RESOURCE, resources.destroy_resource, _ADMIN),
    Route("PATCH", f"{_RESOURCE}binding/", binding.change_binding, _MEMBER),
    Route("GET", f"{_RESOURCE}operations/", operations.list_operations, _VIEWER),
    Route("POST", f"{_RESOURCE}rotate/", rotation.rotate, _MEMBER),
    Route("PUT", f"{_RESOURCE}rotate/", rotation.schedule, _MEMBER),
    Route("GET", f"{_APP}access/", access.get_access, _VIEWER),
    Route("GET", _RELEASES, releases.list_releases, _VIEWER),
    Route("GET", f"{_RELEASES}<version>/", releases.get_release, _VIEWER),
    Route("POST", f"{_RELEASES}rollback/", releases.roll_back, _MEMBER),
    Route("GET", f"{_RELEASES}rollback/<operation>/", releases.get_rollback, _VIEWER),
    Route("GET", _CONFIG, config.get_config, _VIEWER),
    Route("POST", _CONFIG, config.change_config, _MEMBER),
    Route("DELETE", _CONFIG, config.detach_groups, _ADMIN),
    Route("GET", _BUILDS, builds.list_builds, _VIEWER),
    Route("POST", _BUILDS, builds.create_build, _MEMBER),
    Route("POST", _HOOK, deploy_hook.receive, _VIEWER),
    Route("GET", "/healthz", health.healthz, _VIEWER),
    Route("GET", "/readyz", health.readyz, _VIEWER),
    Route("GET", "/metrics", metrics.get_metrics, _VIEWER),
)


class _AppConverter(BaseConverter):
    regex = r"[a-z0-9-]{1,63}"


class _NameConverter(BaseConverter):
    regex = r"[a-z0-9]+(?:-[a-z0-9]+)*"


def make_app(ports: Api) -> Flask:
    """The WSGI app over `ports`."""
    app = Flask("helmbroker_bridge", static_folder=None)
    app.extensions[EXTENSION] = ports
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    app.json.sort_keys = False  # type: ignore[attr-defined]  # the default provider has it
    app.url_map.strict_slashes = False  # a trailing slash is optional, and nothing redirects
    app.url_map.merge_slashes = False
    app.url_map.converters |= {"app": _AppConverter, "name": _NameConverter}
    if ports.requests is not None:
        ports.requests.watch(app)
    app.before_request(_authenticate)
    app.after_request(_mark)
    for route in ROUTES:
        view = _guarded(route)
        for path in paths(route):
            app.add_url_rule(path, endpoint=f"{route.method} {path}", view_func=view, methods=[route.method])
    errors.register(app)
    return app


def paths(route: Route) -> tuple[str, ...]:
    """Where a route is served."""
    return (route.path,) if route.path in _OPEN else (f"{CONTROLLER}{route.path}", route.path)


def _authenticate() -> None:
    """Before everything else, also before 404 and 405: strangers learn nothing."""
    if request.path in _OPEN:
        return
    shown = request.headers.get("Authorization", "")
    keyword, _, token = shown.partition(" ")
    if keyword.lower() not in ("token", "bearer") or not token.strip():
        fault = LoginFault.KIND if shown else LoginFault.NOTHING
        raise errors.Unauthenticated("Authentication credentials were not provided.", fault)
    identity = api().authority.identify(token.strip())
    if identity is None:
        raise errors.Unauthenticated("Invalid token.", LoginFault.TOKEN)
    g.identity = identity


def _guarded(route: Route) -> Callable[..., Response]:
    """The view behind its permission: no view is reachable without."""

    def view(**path: str) -> Response:
        if "app" in path:
            g.role = require(path["app"], route.role)
        if "identity" not in g:
            return route.view(**path)
        with acting(Actor(f"user:{g.identity.user}")):
            return route.view(**path)

    return view


def _mark(response: Response) -> Response:
    response.headers.update(HEADERS)
    response.headers["Cache-Control"] = "no-store"
    return response
