"""Clients of both APIs who remember everything that they were answered."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import requests

from tests.canary.evidence import Evidence
from tests.canary.places import Place
from tests.cluster.bridge import Bridge
from tests.cluster.osb import Platform

_DELIVERS = re.compile(r"/service_bindings/[^/]+$|/resources/[^/]+/$")


def note(evidence: Evidence, method: str, path: str, answer: requests.Response) -> None:
    """What an answer says, its headers too."""
    place = Place.ANSWERS
    if not answer.ok or path.endswith("/last_operation"):
        place = Place.ERRORS
    elif path == "/metrics":
        place = Place.METRICS
    elif _DELIVERS.search(path):
        place = Place.DELIVERIES
    evidence.add(place, f"{method} {path}", f"{answer.headers}\n{answer.text}")


@dataclass(frozen=True)
class HeardPlatform(Platform):
    """A platform of the broker."""

    evidence: Evidence

    def ask(self, method: str, path: str, body: object = None, **query: str) -> requests.Response:
        answer = super().ask(method, path, body, **query)
        note(self.evidence, method, path, answer)
        return answer

    def ask_as(self, login: str, method: str, path: str, content: bytes = b"", **headers: str) -> requests.Response:
        """With any value of the header Authorization, and anything as body."""
        given = {"X-Broker-API-Version": "2.17", "Authorization": login, **headers}
        answer = requests.request(method, self.url + path, data=content, headers=given, timeout=60)
        note(self.evidence, method, path, answer)
        return answer


@dataclass
class HeardBridge(Bridge):
    """A user of the bridge."""

    evidence: Evidence = field(kw_only=True)

    @classmethod
    def of(cls, bridge: Bridge, evidence: Evidence) -> HeardBridge:
        """One that runs already."""
        made = cls(bridge.url, bridge.token, bridge.settings, bridge.log, evidence=evidence)
        made.process = bridge.process
        return made

    def ask(self, method: str, path: str, body: object = None) -> requests.Response:
        answer = super().ask(method, path, body)
        note(self.evidence, method, path, answer)
        return answer
