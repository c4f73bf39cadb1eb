"""Clients that behave as OSB platforms do: they repeat what got no answer, poll, and take it at its word."""

from __future__ import annotations

import threading
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import requests

from helmbroker.broker.domain.operation import Kind

POLL_S = 0.4
PATIENCE_S = 150.0  # without any answer; longer than every trouble that is made
END_S = 400.0  # an accepted operation has ended by then
_TRY_AGAIN = 503  # as every platform understands it
_BUSY = 422


class Broken(Exception):
    """A promise that the broker broke, as a sentence."""


class Over(Exception):
    """The run is over: nothing new is begun."""


class Ended(NamedTuple):
    """How an accepted operation ended, as the platform was told."""

    kind: Kind
    operation: str
    state: str
    description: str
    took_s: float


@dataclass(eq=False)
class Journal:
    """What all clients saw. Thread-safe."""

    violations: list[str] = field(default_factory=list)
    accepted: dict[str, Kind] = field(default_factory=dict)  # operation id -> kind
    ended: list[Ended] = field(default_factory=list)
    answers: Counter[str] = field(default_factory=Counter)
    secrets: set[str] = field(default_factory=set, repr=False)

    def violation(self, text: str) -> None:
        self.violations.append(text)


@dataclass(frozen=True)
class Platform:
    """Asks any API of the broker, as through a load balancer that knows nothing of their health."""

    urls: list[str]
    login: tuple[str, str] = field(repr=False)
    journal: Journal = field(repr=False)
    quiet: threading.Event  # set: nothing is disturbed any more

    def ask(self, method: str, path: str, body: object = None, **query: str) -> requests.Response:
        """The first answer that is one. Raises Broken when there is none for too long, or a fault of the broker."""
        deadline, turn = time.monotonic() + PATIENCE_S, uuid.uuid4().int
        while time.monotonic() < deadline:
            turn += 1
            try:
                answer = self._once(self.urls[turn % len(self.urls)], method, path, body, query)
            except requests.RequestException as error:
                self.journal.answers[type(error).__name__] += 1
                self.quiet.wait(0.2)
                continue
            self.journal.answers[f"{method} {answer.status_code}"] += 1
            if answer.status_code == _TRY_AGAIN:
                self.quiet.wait(0.5)
                continue
            if answer.status_code >= 500:
                raise Broken(f"{method} {path}: {answer.status_code} {answer.text[:300]}")
            return answer
        raise Broken(f"{method} {path}: no answer for {PATIENCE_S:g} s")

    def _once(self, url: str, method: str, path: str, body: object, query: dict[str, str]) -> requests.Response:
        return requests.request(
            method,
            url + path,
            json=body,
            params=query,
            auth=self.login,
            headers={"X-Broker-API-Version": "2.17"},
            timeout=60,
            allow_redirects=False,
        )

    def begin(self, kind: Kind, method: str, path: str, body: object = None, **query: str) -> str | None:
        """Ask for an operation until it is accepted; its id, None when it was over before. Raises Broken.

        OSB items: 202 with an operation; the same request again meets 200 or 201 when it is done; 410 when it is
        gone; 422 ConcurrencyError when something else is at work.
        """
        deadline = time.monotonic() + END_S
        while time.monotonic() < deadline:
            answer = self.ask(method, path, body, **query, accepts_incomplete="true")
            if answer.status_code == 202:
                operation = str(answer.json()["operation"])
                self.journal.accepted[operation] = kind
                return operation
            if answer.status_code in ((200, 410) if method == "DELETE" else (200, 201)):
                return None
            if answer.status_code == _BUSY and answer.json().get("error") == "ConcurrencyError":
                self.quiet.wait(POLL_S)
                time.sleep(POLL_S)
                continue
            raise Broken(f"{method} {path}: {answer.status_code} {answer.text[:300]}")
        raise Broken(f"{method} {path}: busy for {END_S:g} s")

    def follow(self, kind: Kind, path: str, operation: str | None) -> Ended:
        """Poll until it has ended. Raises Broken when it does not."""
        began = time.monotonic()
        if operation is None:
            return Ended(kind, "", "succeeded", "", 0.0)
        while time.monotonic() < began + END_S:
            answer = self.ask("GET", f"{path}/last_operation", operation=operation)
            gone = answer.status_code == 410 and kind in (Kind.DEPROVISION, Kind.UNBIND)
            if answer.status_code != 200 and not gone:
                raise Broken(f"poll of {kind} {path}: {answer.status_code} {answer.text[:300]}")
            told: dict[str, Any] = {"state": "succeeded", "description": "gone"} if gone else answer.json()
            if told["state"] != "in progress":
                took_s = time.monotonic() - began
                ended = Ended(kind, operation, told["state"], told.get("description", ""), took_s)
                self.journal.ended.append(ended)
                return ended
            time.sleep(POLL_S)
        raise Broken(f"{kind} {path}: not ended after {END_S:g} s")

    def catalog(self) -> dict[str, dict[str, str]]:
        """Ids of the plan `small` of each service, by the service's name."""
        return {
            offering["name"]: {"service_id": offering["id"], "plan_id": plan["id"]}
            for offering in self.ask("GET", "/v2/catalog").json()["services"]
            for plan in offering["plans"]
            if plan["name"] == "small"
        }
