"""/metrics of the bridge: who may read them, and what they tell; each line of the log says whose work it is."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from werkzeug.test import TestResponse

from helmbroker.controller_bridge.api.app import make_app
from helmbroker.controller_bridge.model import Kind, Schedule
from helmbroker.controller_bridge.operations.finish import on_finish
from helmbroker.controller_bridge.settings import Settings
from helmbroker.controller_bridge.store import OPERATIONS
from helmbroker.controller_bridge.telemetry_wiring import FIELDS, WORK, about, metrics_of_api
from helmbroker.runtime import logs
from helmbroker.telemetry.requests import Requests
from helmbroker.telemetry.work import Work
from tests.api.bridge.calls import Calls
from tests.operations.harness import Hand
from tests.unit.logs import logs_as_before
from tests.unit.telemetry.spans import Spans

__all__ = ["logs_as_before"]
TOKEN = "the-metrics-token"
NO_TOKEN = "A token file of the bridge is not usable; the log of the bridge says which."


class Watched:
    """The API of `call`, with metrics, and its worker; `get`: a reader of metrics."""

    def __init__(self, call: Calls, folder: Path) -> None:
        (folder / "metrics-token").write_text(f"{TOKEN}\n")
        settings = Settings(metrics_token_file=folder / "metrics-token")
        self.spans, self.registry, world = Spans(), CollectorRegistry(), call.world
        requests = Requests("helmbroker_bridge", self.spans.traces, FIELDS)
        metrics = metrics_of_api(settings, world.store, requests)
        self.client = make_app(replace(call.api, metrics=metrics, requests=requests)).test_client()
        self.user = {"Authorization": f"token {call.tokens['admin']}"}
        handlers = world.hand.worker.handlers
        work = Work(WORK, self.registry, self.spans.traces, Kind, Schedule, about)
        self.hand = Hand(world.store.engine, OPERATIONS, handlers, on_finish=on_finish(world.store), observed=work)

    def get(self, token: str = TOKEN) -> TestResponse:
        return self.client.get("/metrics", headers={"Authorization": f"Bearer {token}"})

    def post(self, path: str, body: dict[str, Any], identity: str) -> TestResponse:
        headers = {**self.user, "X-Broker-API-Request-Identity": identity}
        return self.client.post(path, json=body, headers=headers)


@pytest.fixture
def watched(call: Calls, tmp_path: Path) -> Watched:
    return Watched(call, tmp_path)


def test_who_has_the_token_reads_them(watched: Watched) -> None:
    answer = watched.get()
    assert (answer.status_code, answer.content_type.partition(";")[0]) == (200, "text/plain")


@pytest.mark.parametrize("token", ["", "wrong", "the-metrics-token-and-more"])
def test_nobody_else_does(watched: Watched, token: str) -> None:
    assert watched.get(token).status_code == 401


def test_a_user_does_not(watched: Watched) -> None:
    assert watched.client.get("/metrics", headers=watched.user).status_code == 401
    assert watched.client.get("/metrics").status_code == 401


def test_where_no_token_is_set_up_there_are_none(call: Calls) -> None:
    answer = call("GET", "/metrics", who=None)
    assert (answer.status_code, "METRICS_TOKEN_FILE" in answer.text) == (404, True)


def test_a_token_file_that_is_gone_lets_nobody_in(
    watched: Watched, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Strangers are not told where it should be; the log is."""
    (tmp_path / "metrics-token").unlink()
    for token in ("", "wrong", TOKEN):
        answer = watched.get(token)
        assert (answer.status_code, answer.json) == (503, {"detail": NO_TOKEN})
    assert f"{tmp_path / 'metrics-token'} lacks the token of whoever reads metrics" in caplog.text


def test_what_there_is(watched: Watched, call: Calls) -> None:
    call.world.bound()
    call.world.create("other")
    told = watched.get().text
    assert 'helmbroker_bridge_resources{binding="Ready",instance="Ready"} 1.0' in told
    assert 'helmbroker_bridge_resources{binding="Unbound",instance="Provisioning"} 1.0' in told
    assert 'helmbroker_bridge_operations{kind="create",state="queued"} 1.0' in told
    assert "helmbroker_bridge_apps_missing 0.0" in told
    assert "shop" not in told
    assert "my-db" not in told


def test_each_line_says_whose_work_it_is(watched: Watched, call: Calls, logs_as_before: None) -> None:
    log = io.StringIO()
    logs.configure(level="debug", service="test", stream=log)
    asked = {"name": "my-db", "plan": "postgresql:small", "options": {}}
    assert watched.post("/v2/apps/shop/resources/", asked, "r1").status_code == 201
    resource = call.world.resource()
    assert watched.hand.run(resource.instance_operation).state == "succeeded"
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    assert [line["event"] for line in lines] == [
        "operation started",
        "operation is now succeeded: The instance was provisioned successfully",
    ]
    whose = {"instance": resource.instance_id, "resource": resource.uuid, "app": "shop", "request_identity": "r1"}
    for line in lines:
        assert whose | {"operation": resource.instance_operation} | line == line
        assert line["attempt"] >= 1


def test_one_trace_from_the_request_to_the_steps(watched: Watched, call: Calls) -> None:
    asked = {"name": "my-db", "plan": "postgresql:small", "options": {}}
    watched.post("/v2/apps/shop/resources/", asked, "r1")
    watched.hand.run(call.world.resource().instance_operation)
    tree = watched.spans.tree()
    assert tree["operation create"] == "POST /v2/apps/{app}/resources/"
    assert {parent for name, parent in tree.items() if name.startswith("step ")} == {"operation create"}
    assert len(watched.spans.traces_seen()) == 1
    name = "helmbroker_bridge_operation_duration_seconds_count"
    assert watched.registry.get_sample_value(name, {"kind": "create", "state": "succeeded"}) == 1.0
