"""/v2/service_instances/:id (OSB 1.3-1.7)."""

from __future__ import annotations

from flask import request

from helmbroker.broker.api import wire
from helmbroker.broker.api.answers import Answer, accepted, polled
from helmbroker.broker.domain.requests import DeprovisionRequest
from helmbroker.broker.service import Accepted, Service


class Instances:
    """One method per HTTP method."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def put(self, instance_id: str) -> Answer:
        answer = self._service.provision(wire.provision(request, instance_id))
        return accepted(answer) if isinstance(answer, Accepted) else ({}, 200)

    def get(self, instance_id: str) -> Answer:
        view = self._service.instance(instance_id)
        return {
            "service_id": view.service_id,
            "plan_id": view.plan_id,
            "parameters": view.parameters,
            "maintenance_info": {"version": view.version},
        }, 200

    def patch(self, instance_id: str) -> Answer:
        answer = self._service.update(wire.update(request, instance_id))
        return accepted(answer) if isinstance(answer, Accepted) else ({}, 200)

    def delete(self, instance_id: str) -> Answer:
        wire.require_ids(request)
        incomplete = wire.accepts_incomplete(request)
        return accepted(self._service.deprovision(DeprovisionRequest(instance_id, incomplete)))

    def last_operation(self, instance_id: str) -> Answer:
        return polled(self._service.instance_operation(instance_id, wire.operation(request)))
