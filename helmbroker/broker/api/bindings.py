"""/v2/service_instances/:id/service_bindings/:bid (OSB 1.7-1.10)."""

from __future__ import annotations

from flask import request

from helmbroker.broker.api import wire
from helmbroker.broker.api.answers import Answer, accepted, bound, polled
from helmbroker.broker.domain.requests import UnbindRequest
from helmbroker.broker.service import Accepted, Service


class Bindings:
    """One method per HTTP method."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def put(self, instance_id: str, binding_id: str) -> Answer:
        answer = self._service.bind(wire.bind(request, instance_id, binding_id))
        if isinstance(answer, Accepted):
            return accepted(answer)
        return bound(answer), 201 if answer.made else 200

    def get(self, instance_id: str, binding_id: str) -> Answer:
        view = self._service.binding(instance_id, binding_id)
        return {**bound(view), "parameters": view.parameters}, 200

    def delete(self, instance_id: str, binding_id: str) -> Answer:
        self._service.check_binding(instance_id, binding_id)  # 410 before 400 (OSB item 114)
        wire.require_ids(request)
        incomplete = wire.accepts_incomplete(request)
        answer = self._service.unbind(UnbindRequest(instance_id, binding_id, incomplete))
        return accepted(answer) if isinstance(answer, Accepted) else ({}, 200)

    def last_operation(self, instance_id: str, binding_id: str) -> Answer:
        return polled(self._service.binding_operation(instance_id, binding_id, wire.operation(request)))
