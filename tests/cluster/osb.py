"""An OSB platform in a few lines: asks the broker, polls, remembers the ids that it gave."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass, field
from typing import Any

import pytest
import requests

POLL_S = 0.1
END_S = 300.0  # of an operation, on a machine that is busy with other tests


@dataclass(frozen=True)
class End:
    """How an operation ended, as the platform was told."""

    state: str
    description: str
    seen: tuple[str, ...]  # every description on the way, in order


@dataclass(frozen=True)
class Platform:
    """Everything that a test asks of a broker at `url`."""

    url: str
    user: str
    password: str = field(repr=False)

    def ask(self, method: str, path: str, body: object = None, **query: str) -> requests.Response:
        return requests.request(
            method,
            self.url + path,
            json=body,
            params=query,
            auth=(self.user, self.password),
            headers={"X-Broker-API-Version": "2.17"},
            timeout=60,  # as platforms do
            allow_redirects=False,
        )

    def expect(self, status: int, method: str, path: str, body: object = None, **query: str) -> dict[str, Any]:
        answer = self.ask(method, path, body, **query)
        assert answer.status_code == status, f"{method} {path}: {answer.status_code} {answer.text}"
        found: dict[str, Any] = answer.json()
        return found

    def ids(self, service: str, plan: str) -> dict[str, str]:
        """`service_id` and `plan_id` by their names in the catalog."""
        for offering in self.expect(200, "GET", "/v2/catalog")["services"]:
            for each in offering["plans"]:
                if (offering["name"], each["name"]) == (service, plan):
                    return {"service_id": offering["id"], "plan_id": each["id"]}
        pytest.fail(f"the catalog has no plan {plan} of {service}")

    def instance(self, service: str, plan: str) -> Instance:
        return Instance(self, str(uuid.uuid4()), self.ids(service, plan))


@dataclass(frozen=True)
class Instance:
    """A service instance, from the platform's side."""

    platform: Platform
    id: str
    ids: dict[str, str]

    @property
    def path(self) -> str:
        return f"/v2/service_instances/{self.id}"

    def begin(self, parameters: dict[str, Any] | None = None) -> str:
        """Ask for it; the operation's id."""
        body: dict[str, Any] = {**self.ids, "organization_guid": "org", "space_guid": "space"}
        if parameters is not None:
            body["parameters"] = parameters
        answer = self.platform.expect(202, "PUT", self.path, body, accepts_incomplete="true")
        return str(answer["operation"])

    def provision(self, parameters: dict[str, Any] | None = None, *, within_s: float = END_S) -> End:
        return self.follow(self.begin(parameters), within_s=within_s)

    def begin_update(self, **change: Any) -> str:
        """Ask for a change; fields of the body beside service_id."""
        body = {"service_id": self.ids["service_id"], **change}
        answer = self.platform.expect(202, "PATCH", self.path, body, accepts_incomplete="true")
        return str(answer["operation"])

    def update(self, *, within_s: float = END_S, **change: Any) -> End:
        return self.follow(self.begin_update(**change), within_s=within_s)

    def begin_deletion(self) -> str:
        answer = self.platform.expect(202, "DELETE", self.path, None, **self.ids, accepts_incomplete="true")
        return str(answer["operation"])

    def delete(self, *, within_s: float = END_S) -> End:
        return self.follow(self.begin_deletion(), within_s=within_s)

    def binding(self) -> Binding:
        return Binding(self, str(uuid.uuid4()))

    def follow(self, operation: str, path: str | None = None, *, within_s: float = END_S) -> End:
        """Poll until it has ended."""
        seen: list[str] = []
        deadline = time.monotonic() + within_s
        while True:
            answer = self.platform.ask("GET", f"{path or self.path}/last_operation", operation=operation)
            assert answer.status_code in (200, 410), answer.text
            told = answer.json() if answer.status_code == 200 else {"state": "succeeded", "description": "gone"}
            if not seen or seen[-1] != told["description"]:
                seen.append(told["description"])
            if told["state"] != "in progress":
                return End(told["state"], told["description"], tuple(seen))
            assert time.monotonic() < deadline, f"not ended within {within_s} s: {seen}"
            time.sleep(POLL_S)


@dataclass(frozen=True)
class Binding:
    """A service binding, from the platform's side."""

    instance: Instance
    id: str

    @property
    def path(self) -> str:
        return f"{self.instance.path}/service_bindings/{self.id}"

    def begin(self, parameters: dict[str, Any] | None = None) -> str:
        body: dict[str, Any] = dict(self.instance.ids)
        if parameters is not None:
            body["parameters"] = parameters
        answer = self.instance.platform.expect(202, "PUT", self.path, body, accepts_incomplete="true")
        return str(answer["operation"])

    def bind(self, parameters: dict[str, Any] | None = None, *, within_s: float = END_S) -> End:
        return self.instance.follow(self.begin(parameters), self.path, within_s=within_s)

    def unbind(self, *, within_s: float = END_S) -> End:
        answer = self.instance.platform.expect(
            202, "DELETE", self.path, None, **self.instance.ids, accepts_incomplete="true"
        )
        return self.instance.follow(str(answer["operation"]), self.path, within_s=within_s)

    def credentials(self) -> dict[str, str]:
        found: dict[str, str] = self.instance.platform.expect(200, "GET", self.path)["credentials"]
        return found
