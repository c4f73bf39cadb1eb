"""PATCH /v2/apps/<app>/resources/<name>/binding/: bind and unbind."""

from __future__ import annotations

from flask import Response, jsonify

from helmbroker.controller_bridge.api.bodies import json_object
from helmbroker.controller_bridge.api.context import api, user
from helmbroker.controller_bridge.api.errors import NotFound
from helmbroker.controller_bridge.api.resources import resource_object


def change_binding(app: str, name: str) -> Response:
    """`{"bind_action": "bind" | "unbind"}`: begins, and answers 200 with the resource."""
    action = str(json_object().get("bind_action", "")).lower()
    if action == "bind":
        return jsonify(resource_object(api().service.bind(app, name, user())))
    if action == "unbind":
        return jsonify(resource_object(api().service.unbind(app, name, user())))
    raise NotFound("unknown action")
