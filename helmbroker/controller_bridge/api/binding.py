"""PATCH /v2/apps/<app>/resources/<name>/binding/: bind and unbind."""

from __future__ import annotations

from flask import Response, jsonify

from helmbroker.controller_bridge.api.bodies import json_object
from helmbroker.controller_bridge.api.context import api, user
from helmbroker.controller_bridge.api.errors import Invalid, NotFound
from helmbroker.controller_bridge.api.resources import resource_object
from helmbroker.controller_bridge.delivery import BadMapping, EnvMapping


def change_binding(app: str, name: str) -> Response:
    """`{"bind_action": "bind" | "unbind", "env": {..}}`: begins, and answers 200 with the resource."""
    body = json_object()
    action = str(body.get("bind_action", "")).lower()
    if action == "bind":
        try:
            env = EnvMapping.read(body.get("env"))
        except BadMapping as error:
            raise Invalid({"env": [str(error)]}) from None
        return jsonify(resource_object(api().service.bind(app, name, user(), env)))
    if action == "unbind":
        return jsonify(resource_object(api().service.unbind(app, name, user())))
    raise NotFound("unknown action")
