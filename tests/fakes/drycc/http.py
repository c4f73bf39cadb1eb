"""The controller's HTTP: routes, logins, roles, throttle, envelopes."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from flask import Flask, Response, g, jsonify, request

from tests.fakes.drycc.config import Config, Refusal, detail
from tests.fakes.drycc.controller import Controller
from tests.fakes.drycc.state import ADMIN, MEMBER, VIEWER, App, Release

View = Callable[..., Response | tuple[Response, int]]
_PAGE = 100
_LEAST = {"GET": VIEWER, "DELETE": ADMIN}  # else member


class Throttle:
    """So many requests of one user within a minute; 0: any number."""

    def __init__(self, per_minute: int, clock: Callable[[], float]) -> None:
        self.per_minute, self._clock = per_minute, clock
        self._seen: dict[str, list[float]] = {}

    def pass_(self, user: str) -> None:
        """Raises Refusal with the seconds to wait."""
        now = self._clock()
        seen = self._seen[user] = [at for at in self._seen.get(user, ()) if at > now - 60]
        if self.per_minute and len(seen) >= self.per_minute:
            g.retry_after = max(1, round(60 - (now - seen[0])))
            raise detail(429, f"Request was throttled. Expected available in {g.retry_after} seconds.")
        seen.append(now)


def make_app(controller: Controller, throttle: Throttle, *, error_objects: bool) -> Flask:
    """error_objects: 404 as an object with `error`, as since June 2026; else a bare string."""
    app = Flask("drycc_controller", static_folder=None)
    app.url_map.strict_slashes = False
    app.json.sort_keys = False  # type: ignore[attr-defined]  # the default provider has it
    app.before_request(lambda: _authenticate(controller, throttle))
    app.after_request(_mark)
    app.register_error_handler(Refusal, lambda error: _refused(error, error_objects=error_objects))
    for method, path, view in _ROUTES:
        app.add_url_rule(path, f"{method} {path}", _bound(view, controller), methods=[method])
    return app


def _authenticate(controller: Controller, throttle: Throttle) -> None:
    keyword, _, token = request.headers.get("Authorization", "").partition(" ")
    if keyword.lower() not in ("token", "bearer") or not token:
        throttle.pass_("")
        raise detail(401, "Authentication credentials were not provided.")
    g.user = controller.people.tokens.get(token)
    if g.user is None:
        throttle.pass_("")
        raise detail(401, "Invalid token.")
    throttle.pass_(g.user.username)


def _mark(response: Response) -> Response:
    response.headers["DRYCC_API_VERSION"] = "2.3"
    response.headers["DRYCC_PLATFORM_VERSION"] = "2.3.0"
    return response


def _refused(error: Refusal, *, error_objects: bool) -> Response:
    body = error.body
    if error.status == 404 and error_objects:
        body = {"error": {"code": "NOT_FOUND", "message": body}}
    response = jsonify(body)
    response.status_code = error.status
    if error.status == 401:
        response.headers["WWW-Authenticate"] = "token"
    if error.status == 429:
        response.headers["Retry-After"] = str(g.get("retry_after", 60))
    return response


def _bound(view: View, controller: Controller) -> View:
    return lambda **path: view(controller, **path)


def _app(controller: Controller, app: str) -> App:
    """The app, for whoever has the role that the method needs; staff and superusers pass."""
    found = controller.apps.get(app)
    if found is None:
        raise Refusal(404, "No App matches the given query.")
    least = _LEAST.get(request.method, MEMBER)
    if not (g.user.passes or controller.people.may(g.user, found.workspace, least)):
        raise detail(403, "You do not have permission to perform this action.")
    return found


def whoami(_controller: Controller) -> Response:
    """Who has this token."""
    user = g.user
    shown = {"id": 1, "username": user.username, "email": f"{user.username}@example.com"}
    return jsonify(shown | {"is_superuser": user.is_superuser, "is_staff": user.is_staff})


def get_app(controller: Controller, app: str) -> Response:
    """For members only: also staff get 404 for the apps of others."""
    found = controller.apps.get(app)
    if found is None or not controller.people.may(g.user, found.workspace, VIEWER):
        raise Refusal(404, "No App matches the given query.")
    shown = {"uuid": found.uuid, "id": found.id, "uid": 1, "workspace": found.workspace, "structure": {}}
    return jsonify(shown)


def get_member(controller: Controller, workspace: str, username: str) -> Response:
    """The role of a member, for members of the workspace, staff and superusers."""
    role = controller.people.members.get(workspace, {}).get(username)
    if role is None or not (g.user.passes or controller.people.may(g.user, workspace, VIEWER)):
        raise Refusal(404, "No WorkspaceMember matches the given query.")
    return jsonify({"user": username, "email": "", "role": role, "alerts": True, "workspace": workspace})


def get_config(controller: Controller, app: str) -> Response:
    """Of the newest release that has not failed, or of `version`."""
    found = _app(controller, app)
    version = request.args.get("version", "")
    chosen = controller.release(app, int(version.removeprefix("v"))) if version else found.good
    return _shown(found, chosen.config)


def post_config(controller: Controller, app: str) -> tuple[Response, int]:
    """A new config, and a release of it."""
    found = _app(controller, app)
    merge = request.args.get("merge", "true") != "false"
    return _shown(found, controller.change_config(app, request.get_json(), g.user.username, merge=merge)), 201


def delete_config(controller: Controller, app: str) -> Response:
    """Detach groups from process types: the answer has no body (views/app.py)."""
    _app(controller, app)
    controller.detach(app, request.get_json(), g.user.username)
    return Response(status=200)


def list_releases(controller: Controller, app: str) -> Response:
    """Newest first, in pages."""
    found = _app(controller, app)
    limit, offset = int(request.args.get("limit", _PAGE)), int(request.args.get("offset", 0))
    newest = found.releases[::-1]
    results = [_release(found, each) for each in newest[offset : offset + limit]]
    more = offset + limit < len(newest)
    following = f"{request.base_url}?limit={limit}&offset={offset + limit}" if more else None
    return jsonify({"count": len(newest), "next": following, "previous": None, "results": results})


def get_release(controller: Controller, app: str, version: str) -> Response:
    """One."""
    found = _app(controller, app)
    match = re.fullmatch(r"v(\d+)", version)
    if match is None:
        raise Refusal(404, "No Release matches the given query.")
    return jsonify(_release(found, controller.release(app, int(match[1]))))


def roll_back(controller: Controller, app: str) -> tuple[Response, int]:
    """A new release equal to an older one."""
    _app(controller, app)
    made = controller.roll_back(app, int(request.get_json()["version"]), g.user.username)
    return jsonify({"version": made.version}), 201


def deploy(controller: Controller, app: str) -> Response:
    """The newest release, again."""
    _app(controller, app)
    controller.deploy(app, force=bool(request.get_json().get("force")))
    return Response(status=204)


def list_ptypes(controller: Controller, app: str) -> Response:
    """The process types of the newest build."""
    build = _app(controller, app).good.build
    results = [{"name": name} for name in sorted(build.images if build else ())]
    return jsonify({"results": results, "count": len(results)})


def get_settings(controller: Controller, app: str) -> Response:
    """What happens by itself."""
    found = _app(controller, app)
    on = {"autodeploy": found.autodeploy, "autorollback": found.autorollback}
    return jsonify({"routable": True, "autoscale": {}, "label": {}} | on)


def _shown(app: App, config: Config) -> Response:
    refs = {ptype: list(groups) for ptype, groups in config.refs.items()}
    own = {"uuid": config.uuid, "app": app.id, "values": list(config.values), "values_refs": refs}
    others: dict[str, Any] = {name: {} for name in ("limits", "lifecycle", "tags", "registry", "healthcheck")}
    times = {"termination_grace_period": {}, "created": config.created, "updated": config.created}
    return jsonify(own | others | times)


def _release(app: App, release: Release) -> dict[str, Any]:
    condition = {
        "state": release.state,
        "action": "deploy",
        "ptypes": release.deployed_ptypes,
        "exception": release.exception or None,
        "created": release.created,
    }
    return {
        "uuid": release.uuid,
        "app": app.id,
        "version": release.version,
        "state": release.state,
        "failed": release.failed,
        "summary": release.summary,
        "exception": release.exception or None,
        "conditions": [condition],
        "deployed_ptypes": release.deployed_ptypes,
        "config": release.config.uuid,
        "build": release.build.uuid if release.build else None,
        "created": release.created,
        "updated": release.created,
    }


_A = "/v2/apps/<app>/"
_ROUTES: tuple[tuple[str, str, View], ...] = (
    ("GET", "/v2/auth/whoami/", whoami),
    ("GET", _A, get_app),
    ("GET", "/v2/workspaces/<workspace>/members/<username>/", get_member),
    ("GET", f"{_A}config/", get_config),
    ("POST", f"{_A}config/", post_config),
    ("DELETE", f"{_A}config/", delete_config),
    ("GET", f"{_A}releases/", list_releases),
    ("GET", f"{_A}releases/<version>/", get_release),
    ("POST", f"{_A}releases/rollback/", roll_back),
    ("POST", f"{_A}releases/deploy/", deploy),
    ("GET", f"{_A}ptypes/", list_ptypes),
    ("GET", f"{_A}settings/", get_settings),
)
