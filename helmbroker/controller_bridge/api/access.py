"""GET /apps/<app>/access/: what the user who asks may do with the app."""

from __future__ import annotations

from flask import Response, jsonify

from helmbroker.controller_bridge.api.context import role, user


def get_access(app: str) -> Response:
    """`{"app", "user", "role": "viewer" | "member" | "admin"}`."""
    return jsonify({"app": app, "user": user(), "role": role().name.lower()})
