"""/healthz: the process serves. /readyz: it should get requests."""

from __future__ import annotations

from http import HTTPStatus

from flask import Response, jsonify

from helmbroker.controller_bridge.api.context import api
from helmbroker.status.health import LEAVING


def healthz() -> Response:
    """Always 200."""
    return jsonify(status="ok")


def readyz() -> Response:
    """200 when the database answers and nobody stops the process; else 503, here or by the table of errors.

    How many workers live is told, and makes no difference: without them everything is shown, and what is accepted
    waits.
    """
    if api().leaving.is_set():
        response = jsonify(status=LEAVING)
        response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
        return response
    return jsonify(status="ok", workers=api().service.workers())
