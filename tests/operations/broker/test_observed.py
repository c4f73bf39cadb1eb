"""A service instance from PUT to DELETE, and what is told of it meanwhile: lines of the log, spans, counters."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from prometheus_client import CollectorRegistry

from helmbroker.broker.api.app import create_app
from helmbroker.broker.api.auth.basic import BasicUsers
from helmbroker.broker.api.auth.chain import Authentication
from helmbroker.broker.api.auth.logins import LoginFile, plain
from helmbroker.broker.domain.operation import Kind, Schedule
from helmbroker.broker.store.schema import operations
from helmbroker.broker.telemetry_wiring import FIELDS, HELM, WORK, about, plan_of, word
from helmbroker.broker.worker import handlers
from helmbroker.catalog.model import Catalog
from helmbroker.runtime import logs
from helmbroker.telemetry import metric
from helmbroker.telemetry.programs import Programs
from helmbroker.telemetry.requests import Requests
from helmbroker.telemetry.work import Work
from tests.fakes.helm import FakeHelm
from tests.operations.broker.world import ADDON, World
from tests.operations.harness import Hand
from tests.unit.logs import logs_as_before
from tests.unit.telemetry.spans import Spans

__all__ = ["logs_as_before"]
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
INSTANCE = "/v2/service_instances/i1"
BINDING = f"{INSTANCE}/service_bindings/b1"
PLAN = {"service_id": ADDON.id, "plan_id": ADDON.plans[0].id}
QUERY = "&".join(f"{name}={value}" for name, value in PLAN.items())
PROVISION = {**PLAN, "organization_guid": "o", "space_guid": "s", "parameters": {"make": "canary-parameter"}}


class ToldHelm:
    """The fake, each of whose runs is done as HelmCli does them."""

    def __init__(self, helm: FakeHelm, around: Programs) -> None:
        self._helm, self._around = helm, around

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def run(*given: Any, **named: Any) -> Any:
            with self._around(name):
                return getattr(self._helm, name)(*given, **named)

        return run


class Life:
    """A broker whose requests and operations are observed."""

    def __init__(self, world: World, folder: Path) -> None:
        self.spans, self.registry, self.log = Spans(), CollectorRegistry(), io.StringIO()
        self.requests = Requests("helmbroker", self.spans.traces, FIELDS)
        login = LoginFile(folder / "login", plain)
        login.path.write_text("platform:canary-password")
        app = create_app(
            world.service,
            lambda: Catalog((ADDON,)),
            Authentication([BasicUsers([login])]),
            lambda: None,
            requests=self.requests,
        )
        self.client: FlaskClient = app.test_client()
        helm = ToldHelm(world.helm, Programs("helm", HELM, self.registry, self.spans.traces, word))
        tools = replace(world.tools, helm=helm)
        work = Work(
            WORK,
            self.registry,
            self.spans.traces,
            Kind,
            Schedule,
            about,
            lambda each: plan_of(each, world.store, world.revisions),
        )
        self.hand = Hand(world.store.engine, operations, handlers(world.store, tools), observed=work)

    def ask(self, method: str, path: str, identity: str, body: object = None) -> str:
        """The id of the operation that it begins."""
        headers = {
            "X-Broker-API-Version": "2.17",
            "X-Broker-API-Request-Identity": identity,
            "traceparent": f"00-{TRACE}-00f067aa0ba902b7-01",
        }
        path = f"{path}?accepts_incomplete=true&{'' if body else QUERY}"
        answer = self.client.open(
            path, method=method, headers=headers, auth=("platform", "canary-password"), json=body
        )
        assert answer.status_code == 202, answer.text
        return str(answer.get_json()["operation"])

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.getvalue().splitlines()]


@pytest.fixture
def life(world: World, tmp_path: Path, logs_as_before: None) -> Life:
    made = Life(world, tmp_path)
    logs.configure(level="debug", service="test", stream=made.log)
    return made


ASKED = (
    ("PUT", INSTANCE, PROVISION),
    ("PUT", BINDING, PLAN),
    ("DELETE", BINDING, None),
    ("DELETE", INSTANCE, None),
)


def whole(life: Life) -> dict[str, str]:
    """From nothing to nothing; which request has begun which operation."""
    begun = {}
    for number, (method, path, body) in enumerate(ASKED):
        begun[f"r{number}"] = life.ask(method, path, f"r{number}", body)
        end = life.hand.run(begun[f"r{number}"])
        assert end.state == "succeeded", end.description
    return begun


@pytest.mark.osb(15)
def test_each_line_says_whose_work_it_is(life: Life) -> None:
    begun = whole(life)
    lines = life.lines()
    of_operations = [line for line in lines if "operation" in line and "attempt" in line]
    of_requests = [line for line in lines if line not in of_operations]
    assert [line["event"] for line in of_requests] == ["change requested"] * len(ASKED)
    assert [line["operation"] for line in of_requests] == list(begun.values())
    assert len(of_operations) >= 2 * len(ASKED)
    for line in lines:
        assert (line["instance"], line["trace_id"]) == ("i1", TRACE), line
        assert ("binding" in line) == ("bind" in line["operation"]), line
        assert begun[line["request_identity"]] == line["operation"], line
    assert {line["attempt"] for line in of_operations} <= {1, 2}


def test_one_trace_from_the_request_to_the_runs_of_helm(life: Life) -> None:
    whole(life)
    assert life.spans.traces_seen() == {TRACE}
    tree = life.spans.tree()
    route = "/v2/service_instances/{instance_id}"
    assert tree[f"PUT {route}"] is None
    assert tree["operation provision"] == f"PUT {route}"
    assert tree["operation bind"] == f"PUT {route}/service_bindings/{{binding_id}}"
    assert tree["operation deprovision"] == f"DELETE {route}"
    steps = {name: parent for name, parent in tree.items() if name.startswith("step ")}
    assert all(str(parent).startswith("operation ") for parent in steps.values())
    runs = {name: parent for name, parent in tree.items() if name.startswith("helm ")}
    assert {"helm render", "helm deploy", "helm uninstall"} <= set(runs)
    assert all(str(parent).startswith("step ") for parent in runs.values()), runs


def test_nothing_secret_is_told(life: Life) -> None:
    whole(life)
    told = [span.to_json() for span in life.spans.ended]
    told += [life.log.getvalue(), metric.text(life.registry).decode(), life.requests.text().decode()]
    assert [each for each in told if "canary" in each] == []


def test_what_is_counted(life: Life) -> None:
    whole(life)
    labels = {"service": ADDON.name, "plan": ADDON.plans[0].name, "state": "succeeded"}
    name = "helmbroker_operation_duration_seconds_count"
    for kind in ("provision", "bind", "unbind", "deprovision"):
        assert life.registry.get_sample_value(name, {"kind": kind, **labels}) == 1.0, kind
    counted = [line for line in life.requests.text().decode().splitlines() if "_count{" in line]
    route = 'code="202",method="PUT",route="/v2/service_instances/{instance_id}"'
    assert f"helmbroker_http_request_duration_seconds_count{{{route}}} 1.0" in counted


def test_paths_and_methods_that_clients_make_up_are_one_each(life: Life) -> None:
    for number in range(3):
        life.client.open(f"/no/such/{number}", method=f"MADEUP{number}")
    counted = [line for line in life.requests.text().decode().splitlines() if "_count{" in line]
    assert counted == ['helmbroker_http_request_duration_seconds_count{code="401",method="other",route="none"} 3.0']


def test_probes_are_counted_and_not_traced(life: Life) -> None:
    assert life.client.get("/healthz").status_code == 200
    assert 'route="/healthz"' in life.requests.text().decode()
    assert life.spans.ended == ()
