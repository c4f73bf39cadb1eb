"""GET /v2/resources/services/ and its plans."""

from __future__ import annotations

from flask import Response, jsonify

from helmbroker.controller_bridge.api.context import api
from helmbroker.controller_bridge.api.errors import Invalid
from helmbroker.controller_bridge.broker_port import Plan
from helmbroker.controller_bridge.brokers import AmbiguousService, UnknownService


def list_services() -> Response:
    """Every service offering, by the name that a create takes; `unavailable`: which brokers could not be asked."""
    catalog = api().catalog.now()
    results = [
        {"id": one.offering.id, "name": name, "updateable": one.offering.updateable}
        for name, one in catalog.named().items()
    ]
    away = {"unavailable": list(catalog.away.values())} if catalog.away else {}
    return jsonify({"results": results, "count": len(results), **away})


def list_plans(service: str) -> Response:
    """Every plan of a service, short names first; an unknown service has none."""
    plans = sorted(_plans(service), key=lambda plan: (len(plan.name), plan.name))
    results = [{"id": plan.id, "name": plan.name, "description": plan.description} for plan in plans]
    return jsonify({"results": results, "count": len(results)})


def _plans(service: str) -> tuple[Plan, ...]:
    try:
        return api().catalog.now().find(service).offering.plans
    except UnknownService:
        return ()
    except AmbiguousService as error:
        raise Invalid({"service": [str(error)]}) from None
