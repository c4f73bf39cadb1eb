"""schemathesis on the broker: rounds of requests until there were enough of them; every fault they found."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.core.failures import Failure, ServerError
from schemathesis.core.transport import Response
from schemathesis.engine import events, from_schema
from schemathesis.generation.case import Case
from schemathesis.hooks import HookContext

from tests.fuzz.adapted import adapted
from tests.fuzz.broker import CATALOG, USER, Fuzzed

_EXAMPLES = 150  # of each operation, in a round
_FAULTS_SHOWN = 20
# what they take for violations the specification allows: 409, 410, 412 and 422; hints in queries that say anything
_OFF = (
    "positive_data_acceptance",
    "negative_data_rejection",
    "use_after_free",
    "ensure_resource_availability",
    "ignored_auth",  # does not work in process; test_requests.py has it for every route
)


@dataclass
class Campaign:
    """`cases`: how many requests got which answer. `faults`: texts, each with the request that found it."""

    cases: Counter[tuple[str, int]] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    @property
    def total(self) -> int:
        """How many requests were sent."""
        return self.cases.total()

    def table(self) -> str:
        """Answers by operation and status."""
        rows = [f"{number:7} {status} {name}" for (name, status), number in sorted(self.cases.items())]
        return "\n".join([*rows, f"{self.total:7} cases"])

    def run(self, broker: Fuzzed, seed: int, least: int) -> None:
        """At least so many cases, or until a round has found faults."""
        number = 0
        while self.total < least and not self.faults:
            before = self.total
            self._round(broker, _configuration(seed + number, first=number == 0))
            assert self.total > before, "a round without a request"
            number += 1

    def _round(self, broker: Fuzzed, configuration: SchemathesisConfig) -> None:
        schema = schemathesis.openapi.from_dict(adapted(CATALOG), config=configuration)
        schema.app = broker.app

        written = broker.written()

        @schema.hook
        def after_call(context: HookContext, case: Case[Any], response: Response) -> None:
            nonlocal written
            name = f"{case.method} {case.operation.path}"
            self.cases[(name, response.status_code)] += 1
            if refused(case, response.status_code) and broker.written() != written:
                self.faults.append(f"{response.status_code}, but it was written: {case.as_curl_command()}")
            broker.work()
            written = broker.written()

        @schema.hook
        def filter_failure(context: HookContext, failure: Failure, case: Case[Any], response: Response) -> bool:
            return not (isinstance(failure, ServerError) and waited_in_vain(response))

        for event in from_schema(schema).execute():
            self._note(event)

    def _note(self, event: events.EngineEvent) -> None:
        if isinstance(event, events.ScenarioFinished):
            checks = [check for each in event.recorder.checks.values() for check in each]
            found = [each.failure_info for each in checks if each.failure_info is not None]
            self.faults += [f"{each.failure}\n{each.code_sample}" for each in found]
        elif isinstance(event, events.NonFatalError):
            self.faults.append(f"{event.label}: {event.value!r}")
        elif isinstance(event, events.FatalError):
            self.faults.append(repr(event.exception))
        del self.faults[_FAULTS_SHOWN:]


def refused(case: Case[Any], status: int) -> bool:
    """Whether nothing may be left behind (OSB items 14, 118). Who waits for a binding sees it made and removed."""
    waits = "service_bindings" in case.operation.path and (case.query or {}).get("accepts_incomplete") != "true"
    return 400 <= status < 500 and not waits


def waited_in_vain(response: Response) -> bool:
    """Whether who waited for a binding learns that helm or the cluster has failed: no fault of ours."""
    return bool(json.loads(response.content).get("error") in ("OperationFailed", "TookTooLong"))


def _configuration(seed: int, *, first: bool) -> SchemathesisConfig:
    """`first`: with the phase that tries each rule of the document by itself, in the same way every time."""
    settings: dict[str, Any] = {
        "seed": seed,
        "auth": {"basic": dict(zip(("username", "password"), USER, strict=True))},
        "generation": {"max-examples": _EXAMPLES, "no-shrink": True, "database": "none"},
        "checks": {name: {"enabled": False} for name in _OFF},
        "cache": {"enabled": False},
        "phases": {"coverage": {"enabled": first}, "stateful": {"max-steps": 12}},
    }
    return SchemathesisConfig.from_dict(settings)
