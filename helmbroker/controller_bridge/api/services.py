"""GET /v2/resources/services/ and its plans."""

from __future__ import annotations

from flask import Response, jsonify

from helmbroker.controller_bridge.api.context import api


def list_services() -> Response:
    """Every service offering, by name."""
    results = [
        {"id": offering.id, "name": offering.name, "updateable": offering.updateable}
        for offering in sorted(api().catalog.offerings(), key=lambda offering: offering.name)
    ]
    return jsonify({"results": results, "count": len(results)})


def list_plans(service: str) -> Response:
    """Every plan of a service, short names first; an unknown service has none."""
    offering = api().catalog.find(service)
    plans = sorted(offering.plans if offering else (), key=lambda plan: (len(plan.name), plan.name))
    results = [{"id": plan.id, "name": plan.name, "description": plan.description} for plan in plans]
    return jsonify({"results": results, "count": len(results)})
