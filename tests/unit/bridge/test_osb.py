"""The OSB client on the wire: what it asks for, and what it notes of it."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import requests_mock

from helmbroker.controller_bridge.broker_port import (
    Answer,
    Caller,
    Progress,
    Status,
    Unreachable,
)
from helmbroker.controller_bridge.osb import OsbBroker
from tests.unit.bridge.osb_client import (
    ALICE,
    BINDING,
    BINDING_URL,
    CATALOG_URL,
    INSTANCE,
    INSTANCE_URL,
    PLAN,
    SERVICE,
    asked,
    broker,
    login,
    wire,
)

__all__ = ["broker", "login", "wire"]


def test_provision(broker: OsbBroker, wire: Any) -> None:
    wire.put(INSTANCE_URL, status_code=202, json={"operation": "op1", "unknown": 1})
    assert broker.provision(INSTANCE, {"replicas": 2}, ALICE) == Answer(True, "op1", longest_s=660.0)
    sent = asked(wire)
    assert sent.query == "accepts_incomplete=true"
    assert sent.json() == {
        "service_id": "svc",
        "plan_id": "plan",
        "organization_guid": "c1",
        "space_guid": "shop",
        "context": {"platform": "kubernetes", "clusterid": "c1", "namespace": "shop", "instance_name": "my-db"},
        "parameters": {"replicas": 2},
    }
    assert sent.headers["X-Broker-API-Version"] == "2.17"
    assert sent.headers["Authorization"] == "Basic " + base64.b64encode(b"user:pass:word").decode()
    platform, _, encoded = sent.headers["X-Broker-API-Originating-Identity"].partition(" ")
    assert (platform, json.loads(base64.b64decode(encoded))["username"]) == ("kubernetes", "alice")
    assert sent.timeout == (5.0, 30.0)


@pytest.mark.parametrize("status", [200, 201])
def test_provision_at_once(broker: OsbBroker, wire: Any, status: int) -> None:
    wire.put(INSTANCE_URL, status_code=status, json={})
    assert broker.provision(INSTANCE, {}, ALICE) == Answer(pending=False)
    assert "parameters" not in wire.last_request.json()


def test_orphan_mitigation_has_no_identity(broker: OsbBroker, wire: Any) -> None:
    wire.delete(INSTANCE_URL, status_code=202, json={"operation": "d"})
    assert broker.deprovision(INSTANCE, Caller(None)) == Answer(True, "d", longest_s=660.0)
    assert "X-Broker-API-Originating-Identity" not in asked(wire).headers
    assert asked(wire).qs == {"accepts_incomplete": ["true"], "service_id": ["svc"], "plan_id": ["plan"]}


@pytest.mark.parametrize("content", [b"{}", b""])
def test_what_is_gone_is_done(broker: OsbBroker, wire: Any, content: bytes) -> None:
    wire.delete(BINDING_URL, status_code=410, content=content)
    assert broker.unbind(BINDING, ALICE) == Answer(pending=False)


@pytest.mark.osb(104, 108)
def test_a_binding_that_replaces_another_and_when_it_is_due_itself(broker: OsbBroker, wire: Any) -> None:
    metadata = {"expires_at": "2026-03-01T00:00:00.0Z", "renew_before": "2026-02-01T00:00:00.0Z"}
    wire.put(BINDING_URL, status_code=201, json={"credentials": {"uri": "x"}, "metadata": metadata})
    _, credentials = broker.bind(BINDING, ALICE, predecessor="b0")
    assert wire.last_request.json()["predecessor_binding_id"] == "b0"
    assert credentials is not None
    assert credentials.renew_before == datetime(2026, 2, 1, tzinfo=UTC).timestamp()
    wire.get(BINDING_URL, json={"metadata": {"expires_at": "2026-03-01T00:00:00.0Z"}})
    assert broker.credentials(BINDING).renew_before == datetime(2026, 3, 1, tzinfo=UTC).timestamp()
    wire.get(BINDING_URL, json={"metadata": None})
    assert broker.credentials(BINDING).renew_before is None


def test_bind_asynchronous_and_synchronous(broker: OsbBroker, wire: Any) -> None:
    wire.put(
        BINDING_URL,
        [
            {"status_code": 202, "json": {"operation": "b"}},
            {"status_code": 201, "json": {"credentials": {"uri": "canary"}}},
        ],
    )
    assert broker.bind(BINDING, ALICE) == (Answer(True, "b", longest_s=660.0), None)
    assert asked(wire).json() == {
        "service_id": "svc",
        "plan_id": "plan",
        "bind_resource": {"app_guid": "shop"},
        "context": {"platform": "kubernetes", "clusterid": "c1", "namespace": "shop"},
    }
    answer, credentials = broker.bind(BINDING, ALICE)
    assert answer == Answer(pending=False)
    assert credentials is not None
    assert credentials.values == {"uri": "canary"}
    assert "canary" not in repr(credentials)


def test_credentials(broker: OsbBroker, wire: Any) -> None:
    wire.get(BINDING_URL, json={"credentials": {"port": 5432}, "parameters": {}})
    assert broker.credentials(BINDING).values == {"port": 5432}


def test_parameters(broker: OsbBroker, wire: Any) -> None:
    wire.get(INSTANCE_URL, json={"service_id": "svc", "parameters": {"replicas": 2}})
    assert broker.instance_parameters(INSTANCE) == {"replicas": 2}


WEDNESDAY = "Wed, 21 Oct 2026 07:28:00 GMT"


@pytest.mark.parametrize(
    ("headers", "retry_after_s"),
    [
        ({}, None),
        ({"Retry-After": "3"}, 3.0),
        ({"Retry-After": "-1"}, None),
        ({"Retry-After": WEDNESDAY, "Date": "Wed, 21 Oct 2026 07:26:00 GMT"}, 120.0),
    ],
)
def test_polling(broker: OsbBroker, wire: Any, headers: dict[str, str], retry_after_s: float | None) -> None:
    answer = {"state": "in progress", "description": "1 of 2 pods"}
    wire.get(f"{INSTANCE_URL}/last_operation", json=answer, headers=headers)
    assert broker.instance_status(INSTANCE, "op 1") == Status(Progress.IN_PROGRESS, "1 of 2 pods", retry_after_s)
    assert wire.last_request.qs == {"service_id": ["svc"], "plan_id": ["plan"], "operation": ["op 1"]}


def test_when_to_look_first_may_be_said_with_the_acceptance(broker: OsbBroker, wire: Any) -> None:
    wire.put(INSTANCE_URL, status_code=202, json={}, headers={"Retry-After": "30"})
    assert broker.provision(INSTANCE, {}, ALICE).retry_after_s == 30.0
    wire.put(INSTANCE_URL, status_code=201, json={}, headers={"Retry-After": "30"})
    assert broker.provision(INSTANCE, {}, ALICE) == Answer(pending=False)


NO_TIMES: list[object] = [None, 0, -1, 3600.5, "1h", "660", True, [660], {}]


@pytest.mark.parametrize(
    ("said", "longest_s"),
    [(660, 660.0), (10**400, 86400.0), (1, 1.0), *((each, None) for each in NO_TIMES)],
)
def test_how_long_an_operation_of_a_plan_may_take(
    broker: OsbBroker, wire: Any, said: object, longest_s: float | None
) -> None:
    """What is no time takes no service away."""
    plan = {**PLAN, "maximum_polling_duration": said}
    wire.get(CATALOG_URL, json={"services": [{**SERVICE, "plans": [plan]}]})
    wire.put(BINDING_URL, status_code=202, json={})
    assert broker.bind(BINDING, ALICE)[0].longest_s == longest_s
    assert [one.name for one in broker.catalog()] == ["pg"]


def test_an_update_names_a_plan_only_to_change_it(broker: OsbBroker, wire: Any) -> None:
    """A plan that is offered no more must not stop its instances from being changed (OSB items 65, 66)."""
    wire.patch(INSTANCE_URL, json={})
    broker.update(INSTANCE, {"replicas": 2}, ALICE, plan_id="plan")
    context = {"platform": "kubernetes", "clusterid": "c1", "namespace": "shop", "instance_name": "my-db"}
    same = {"service_id": "svc", "previous_values": {"plan_id": "plan"}, "context": context}
    assert wire.last_request.json() == {**same, "parameters": {"replicas": 2}}
    broker.update(INSTANCE, {}, ALICE, plan_id="large")
    assert wire.last_request.json() == {**same, "plan_id": "large"}


def test_of_an_update_it_is_the_plan_that_it_goes_to(broker: OsbBroker, wire: Any) -> None:
    large = {"id": "large", "name": "large", "description": "d", "maximum_polling_duration": 7200}
    wire.get(CATALOG_URL, json={"services": [{**SERVICE, "plans": [PLAN, large]}]})
    wire.patch(INSTANCE_URL, status_code=202, json={})
    assert broker.update(INSTANCE, {}, ALICE, plan_id="large").longest_s == 7200.0
    assert broker.update(INSTANCE, {}, ALICE, plan_id="retired").longest_s is None


MUTATIONS: dict[str, Callable[[OsbBroker], object]] = {
    "PUT instance": lambda broker: broker.provision(INSTANCE, {}, ALICE),
    "PATCH instance": lambda broker: broker.update(INSTANCE, {}, ALICE, plan_id="plan"),
    "DELETE instance": lambda broker: broker.deprovision(INSTANCE, ALICE),
    "PUT binding": lambda broker: broker.bind(BINDING, ALICE),
    "DELETE binding": lambda broker: broker.unbind(BINDING, ALICE),
}


@pytest.mark.parametrize("mutate", MUTATIONS.values(), ids=MUTATIONS)
def test_how_long_is_asked_first(broker: OsbBroker, wire: Any, mutate: Callable[[OsbBroker], object]) -> None:
    """Nothing comes between the broker's acceptance and its record; without a catalog nothing is begun."""
    wire.register_uri(requests_mock.ANY, re.compile("/service_instances/"), status_code=202, json={})
    mutate(broker)
    assert [each.path.endswith("/v2/catalog") for each in wire.request_history] == [True, False]
    wire.get(CATALOG_URL, status_code=503)
    with pytest.raises(Unreachable):
        mutate(broker)
    assert [each.path.endswith("/v2/catalog") for each in wire.request_history] == [True, False, True]


def test_a_catalog_that_is_broken_stops_nothing(
    broker: OsbBroker, wire: Any, caplog: pytest.LogCaptureFixture
) -> None:
    wire.put(INSTANCE_URL, status_code=202, json={"operation": "op1"})
    wire.get(CATALOG_URL, status_code=500)
    assert broker.provision(INSTANCE, {}, ALICE) == Answer(True, "op1")
    wire.get(CATALOG_URL, json={"services": [{**SERVICE, "plans": [PLAN]}]})
    broker.catalog()
    wire.get(CATALOG_URL, json={"services": 3})
    assert broker.provision(INSTANCE, {}, ALICE) == Answer(True, "op1", longest_s=660.0)
    assert "the maximum_polling_duration of a plan is that of before" in caplog.text


def test_polling_something_gone(broker: OsbBroker, wire: Any) -> None:
    wire.get(f"{BINDING_URL}/last_operation", status_code=410, json={})
    status = broker.binding_status(BINDING, None)
    assert (status.progress, status.gone) == (Progress.SUCCEEDED, True)
    assert "operation" not in wire.last_request.qs
