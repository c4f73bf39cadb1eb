"""/healthz: the process serves. /readiness: it can do its work."""

from __future__ import annotations

from flask import Response

from helmbroker.controller_bridge.api.context import api


def healthz() -> Response:
    """Always OK."""
    return Response("OK", mimetype="text/plain")


def readiness() -> Response:
    """OK when the database answers."""
    api().service.ping()
    return Response("OK", mimetype="text/plain")
