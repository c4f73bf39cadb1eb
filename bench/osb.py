"""Requests to the broker itself, as an OSB platform makes them, with the time that each takes."""

from __future__ import annotations

import base64
import http.client
import json
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

REQUEST_TIMEOUT_S = 30
POLL_S = 0.1
LIMIT_S = 300


class BrokerAnswered(Exception):
    """Not the answer that was expected: method, path, status and the broker's description."""


@dataclass(frozen=True)
class Answer:
    """Status, parsed body, and the seconds from the first byte sent to the last byte read."""

    status: int
    body: dict[str, Any]
    took_s: float


@dataclass(frozen=True)
class Broker:
    """A broker at a plain HTTP address of this machine, and its platform credentials `user:password`."""

    url: str
    credentials: str = field(repr=False)

    def request(self, method: str, path: str, body: object = None, **query: str) -> Answer:
        """One request on a connection of its own."""
        parts = urlsplit(self.url)
        target = f"{path}?{urlencode(query)}" if query else path
        headers = {
            "X-Broker-API-Version": "2.17",
            "Authorization": "Basic " + base64.b64encode(self.credentials.encode()).decode(),
            "Content-Type": "application/json",
        }
        content = None if body is None else json.dumps(body)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=REQUEST_TIMEOUT_S)
        try:
            connection.connect()
            began = time.monotonic()
            connection.request(method, target, content, headers)
            response = connection.getresponse()
            text = response.read()
            return Answer(response.status, json.loads(text or b"{}"), time.monotonic() - began)
        finally:
            connection.close()

    def expect(self, statuses: set[int], method: str, path: str, body: object = None, **query: str) -> Answer:
        """A request that has to end with one of these statuses. Raises BrokerAnswered."""
        answer = self.request(method, path, body, **query)
        if answer.status not in statuses:
            raise BrokerAnswered(f"{method} {path}: {answer.status} {answer.body.get('description', '')}")
        return answer

    def plan(self, service: str, plan: str) -> tuple[str, str]:
        """The ids of a service and one of its plans, by name."""
        catalog = self.expect({200}, "GET", "/v2/catalog").body
        for offering in catalog["services"]:
            for one in offering["plans"]:
                if (offering["name"], one["name"]) == (service, plan):
                    return offering["id"], one["id"]
        raise BrokerAnswered(f"GET /v2/catalog: there is no plan {plan} of {service}")


@dataclass(frozen=True)
class Instance:
    """A service instance of the measurer's own."""

    broker: Broker
    service_id: str
    plan_id: str
    id: str = field(default_factory=lambda: str(uuid.uuid4()))

    @property
    def _path(self) -> str:
        return f"/v2/service_instances/{self.id}"

    @property
    def _ids(self) -> dict[str, str]:
        return {"service_id": self.service_id, "plan_id": self.plan_id}

    def provision(self) -> Answer:
        """Ask for it: 202."""
        body = {**self._ids, "organization_guid": "bench", "space_guid": "bench"}
        return self.broker.expect({202}, "PUT", self._path, body, accepts_incomplete="true")

    def deprovision(self) -> None:
        """Remove it, and wait until it is gone."""
        answer = self.broker.expect({200, 202, 410}, "DELETE", self._path, accepts_incomplete="true", **self._ids)
        if answer.status == http.client.ACCEPTED:
            self._finished(f"{self._path}/last_operation", answer)

    def await_ready(self, accepted: Answer) -> None:
        """Wait until the provisioning is over. Raises BrokerAnswered when it failed."""
        self._finished(f"{self._path}/last_operation", accepted)

    def bind(self) -> tuple[str, float]:
        """The id of a new binding, and the seconds from asking for it until it is usable."""
        binding = str(uuid.uuid4())
        path = f"{self._path}/service_bindings/{binding}"
        began = time.monotonic()
        answer = self.broker.expect({200, 201, 202}, "PUT", path, self._ids, accepts_incomplete="true")
        if answer.status == http.client.ACCEPTED:
            self._finished(f"{path}/last_operation", answer)
        return binding, time.monotonic() - began

    def unbind(self, binding: str) -> float:
        """Seconds until the credentials are revoked."""
        path = f"{self._path}/service_bindings/{binding}"
        began = time.monotonic()
        answer = self.broker.expect({200, 202}, "DELETE", path, accepts_incomplete="true", **self._ids)
        if answer.status == http.client.ACCEPTED:
            self._finished(f"{path}/last_operation", answer)
        return time.monotonic() - began

    def _finished(self, path: str, accepted: Answer) -> None:
        operation = {"operation": accepted.body["operation"]} if "operation" in accepted.body else {}

        def over() -> bool:
            answer = self.broker.expect({200, 410}, "GET", path, **self._ids, **operation)
            if answer.body.get("state") == "failed":
                raise BrokerAnswered(f"{path}: failed: {answer.body.get('description', '')}")
            return answer.status == http.client.GONE or answer.body.get("state") == "succeeded"

        _await(over, path)


def _await(over: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not over():
        if time.monotonic() > deadline:
            raise BrokerAnswered(f"{what}: not over after {LIMIT_S} s")
        time.sleep(POLL_S)
