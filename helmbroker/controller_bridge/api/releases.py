"""/v2/apps/<app>/releases/: the app releases, one of them, and going back to one."""

from __future__ import annotations

import re
import uuid

from flask import Response, jsonify, request

from helmbroker.controller_bridge.api.bodies import json_object, page, window
from helmbroker.controller_bridge.api.context import api, user
from helmbroker.controller_bridge.api.errors import Invalid, NotFound
from helmbroker.controller_bridge.apps.manager import ReleaseManager
from helmbroker.controller_bridge.apps.port import AppRelease, ReleaseState
from helmbroker.controller_bridge.operations.progress import described
from helmbroker.controller_bridge.service import Refused
from helmbroker.durable import JSON, Operation

_VERSION = re.compile(r"v?([1-9]\d{0,8})", re.ASCII)
_IDS = uuid.UUID("8b1c1a7e-52cf-4f0d-9a53-0f4f4c4c9b7d")
_STATES = {
    ReleaseState.PENDING: "created",
    ReleaseState.SUCCEEDED: "succeed",
    ReleaseState.FAILED: "crashed",
}


def list_releases(app: str) -> Response:
    """One page, newest first. Names of variables, never values."""
    limit, offset = window()
    count, releases = api().apps().page(app, limit=limit, offset=offset)
    return page([_release_object(app, release) for release in releases], count, limit, offset)


def get_release(app: str, version: str) -> Response:
    """One, and (without a controller) what is other in it than in the one it was made from, or in `?since=`."""
    apps, number, since = api().apps(), version_of(version), request.args.get("since")
    release = apps.release(app, number)
    if release is None:
        raise NotFound("No Release matches the given query.")
    shown = _release_object(app, release)
    if isinstance(apps, ReleaseManager):
        shown["changes"] = list(apps.changes(app, number, None if since is None else version_of(since)))
    return jsonify(shown)


def roll_back(app: str) -> Response:
    """`{"version": N}`: begins; 201. `version` is null: the new release gets its number when the work begins."""
    version = version_of(json_object().get("version"))
    target = api().apps().release(app, version)
    if target is None:
        raise Refused(f"There is no release v{version} of {app}.")
    if target.state is ReleaseState.FAILED:
        raise Refused("Cannot roll back to failed release.")
    if target.state is ReleaseState.PENDING:
        raise Refused("Cannot roll back to a release that is not deployed yet.")
    response = jsonify(_operation_object(api().service.releasing.rollback(app, version, user())))
    response.status_code = 201
    return response


def get_rollback(app: str, operation: str) -> Response:
    """How a rollback goes on."""
    found = api().service.rollback_operation(app, operation)
    if found is None:
        raise NotFound("No Rollback matches the given query.")
    return jsonify(_operation_object(found))


def part_id(app: str, version: int, part: str) -> str:
    """The id of a release, of its config or its build: always the same."""
    return str(uuid.uuid5(_IDS, f"{app}/v{version}/{part}"))


def version_of(value: JSON) -> int:
    """The number in `3`, `"3"` or `"v3"`. Raises Invalid."""
    match = _VERSION.fullmatch(str(value)) if isinstance(value, int | str) else None
    if match is None:
        raise Invalid({"version": ["A valid integer is required."]})
    return int(match[1])


def _release_object(app: str, release: AppRelease) -> dict[str, JSON]:
    return {
        "uuid": part_id(app, release.version, "release"),
        "app": app,
        "version": release.version,
        "state": _STATES[release.state],
        "failed": release.state is ReleaseState.FAILED,
        "summary": release.summary,
        "exception": release.reason or None,
        "owner": release.author,
        "deployed_ptypes": sorted(release.images),
        "config": part_id(app, release.version, "config"),
        "build": part_id(app, release.version, "build"),
        "images": dict(release.images),
        "variables": {group: list(names) for group, names in release.config.items()},
        "drift": list(release.drift),
        "created": release.created,
        "updated": release.created,
    }


def _operation_object(operation: Operation) -> dict[str, JSON]:
    made = operation.results.get("rollback")
    version = made.get("version") if isinstance(made, dict) else None
    return {
        "version": version,
        "operation": operation.id,
        "state": str(operation.state),
        "description": described(operation),
    }
