"""/v2/apps/<app>/resources/<name>/rotate/: new credentials, now or every so often."""

from __future__ import annotations

from flask import Response, jsonify

from helmbroker.controller_bridge.api.bodies import json_object
from helmbroker.controller_bridge.api.context import api, user
from helmbroker.controller_bridge.api.errors import Invalid
from helmbroker.controller_bridge.api.resources import resource_object

LEAST_EVERY_S, MOST_EVERY_S = 3600.0, 10 * 365 * 86400.0


def rotate(app: str, name: str) -> Response:
    """`{"force": true}`: the old credentials end at once; `{"admin": true}`: those of the instance's administrator.

    Begins, and answers 200 with the resource.
    """
    body = json_object()
    force, admin = body.get("force", False), body.get("admin", False)
    wrong = [key for key, value in (("force", force), ("admin", admin)) if not isinstance(value, bool)]
    if wrong:
        raise Invalid({key: ["Must be a valid boolean."] for key in wrong})
    if force and admin:
        raise Invalid({"force": ["No app has the administrator's password: leave it out."]})
    if admin:
        return jsonify(resource_object(api().service.rotate_admin(app, name, user())))
    return jsonify(resource_object(api().service.rotate(app, name, user(), now=bool(force))))


def schedule(app: str, name: str) -> Response:
    """`{"every_s": 2592000}`, or null for never: 200 with the resource; nothing is rotated now."""
    body = json_object()
    every_s = body.get("every_s")
    if "every_s" not in body:
        raise Invalid({"every_s": ["This field is required."]})
    if every_s is None:
        return jsonify(resource_object(api().service.schedule_rotation(app, name, None)))
    if isinstance(every_s, bool) or not isinstance(every_s, int | float):
        raise Invalid({"every_s": ["A valid number is required."]})
    if not LEAST_EVERY_S <= every_s <= MOST_EVERY_S:
        raise Invalid({"every_s": [f"Ensure this value is from {LEAST_EVERY_S:.0f} to {MOST_EVERY_S:.0f}."]})
    return jsonify(resource_object(api().service.schedule_rotation(app, name, float(every_s))))
