"""The OSB client on the wire: what it sends, how it reads what comes back."""

from __future__ import annotations

import base64
import json
import logging
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests
import requests_mock

from helmbroker.controller_bridge.broker_port import (
    Answer,
    BindingRef,
    BrokerError,
    Caller,
    InstanceRef,
    Progress,
    Status,
    Unreachable,
)
from helmbroker.controller_bridge.osb import OsbBroker
from helmbroker.controller_bridge.osb_login import CredentialsFile
from helmbroker.telemetry.carried import carrying

URL = "http://broker.test/osb"
INSTANCE = InstanceRef("i 1", "svc", "plan", app="shop", name="my-db")
BINDING = BindingRef(INSTANCE, "b/1")
INSTANCE_URL = f"{URL}/v2/service_instances/i%201"
BINDING_URL = f"{INSTANCE_URL}/service_bindings/b%2F1"
CATALOG_URL = f"{URL}/v2/catalog"
ALICE = Caller("alice")
SERVICE = {"id": "svc", "name": "pg", "description": "d", "bindable": True}
PLAN = {"id": "plan", "name": "small", "description": "d", "maximum_polling_duration": 660}


@pytest.fixture
def login(tmp_path: Path) -> Path:
    path = tmp_path / "login"
    path.write_text("user:pass:word\n")
    return path


@pytest.fixture
def broker(login: Path) -> OsbBroker:
    return OsbBroker(URL + "/", CredentialsFile(login), cluster_id="c1")


@pytest.fixture
def wire() -> Any:
    """Its catalog is that of PLAN, for whoever asks how long an operation may take."""
    with requests_mock.Mocker() as mocker:
        mocker.get(CATALOG_URL, json={"services": [{**SERVICE, "plans": [PLAN]}]})
        yield mocker


def asked(wire: Any) -> Any:
    """The last request that is not about the catalog."""
    return [each for each in wire.request_history if not each.path.endswith("/v2/catalog")][-1]


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


def plan(name: str, **fields: object) -> dict[str, object]:
    return {"id": f"id-{name}", "name": name, "description": "d", **fields}


def test_catalog(broker: OsbBroker, wire: Any) -> None:
    schema = {"type": "object"}
    rotating = {"properties": {"admin": {"properties": {"rotation": {"type": "string"}}}}}
    plans = [
        plan("small", schemas={"service_instance": {"create": {"parameters": schema}}}),
        plan("big", bindable=False, plan_updateable=False, schemas=None),
        plan("rotating", schemas={"service_instance": {"update": {"parameters": rotating}}}),
        plan("odd", schemas={"service_instance": {"update": {"parameters": {"properties": {"admin": True}}}}}),
    ]
    service = {**plan("pg", bindable=True, plan_updateable=True), "plans": plans}
    wire.get(f"{URL}/v2/catalog", json={"services": [service]})
    (offering,) = broker.catalog()
    assert (offering.id, offering.name, offering.updateable) == ("id-pg", "pg", True)
    assert offering.instances_retrievable is False
    small, big, *_ = offering.plans
    assert (small.bindable, small.updateable, small.parameters_schema) == (True, True, schema)
    assert (big.bindable, big.updateable, big.parameters_schema) == (False, False, None)
    assert [each.name for each in offering.plans if each.admin_rotatable] == ["rotating"]


def test_a_catalog_that_has_not_changed_is_not_sent_again(broker: OsbBroker, wire: Any) -> None:
    service = {**plan("pg", bindable=True), "plans": [plan("small")]}
    first = {"json": {"services": [service]}, "headers": {"ETag": '"1"'}}
    wire.get(
        f"{URL}/v2/catalog", [first, {"status_code": 304}, {"json": {"services": []}}, {"json": {"services": []}}]
    )
    known = broker.catalog()
    assert "If-None-Match" not in wire.last_request.headers
    assert broker.catalog() == known
    assert wire.last_request.headers["If-None-Match"] == '"1"'
    assert broker.catalog() == ()
    broker.catalog()
    assert "If-None-Match" not in wire.last_request.headers


def test_a_304_that_nobody_asked_for_is_refused(broker: OsbBroker, wire: Any) -> None:
    wire.get(f"{URL}/v2/catalog", status_code=304)
    with pytest.raises(BrokerError, match="the broker answered 304"):
        broker.catalog()


def test_redirects_are_not_followed(broker: OsbBroker, wire: Any) -> None:
    wire.get(f"{URL}/v2/catalog", status_code=302, headers={"Location": "http://elsewhere.test/"})
    with pytest.raises(BrokerError, match="the broker answered 302"):
        broker.catalog()
    assert wire.call_count == 1


LOGIN_REFUSED = "the broker answered 401: it does not accept the bridge's login"


@pytest.mark.parametrize(
    ("status", "body", "sentence", "busy"),
    [
        (400, {"error": "Invalid", "description": "no"}, "the broker answered 400 Invalid: no", False),
        (422, {"error": "ConcurrencyError"}, "the broker answered 422 ConcurrencyError: it gave no reason", True),
        (409, {}, "the broker answered 409: it gave no reason", False),
        (500, "<html>canary</html>", "the broker answered 500: it gave no reason", False),
        (204, "", "the broker answered 204: it gave no reason", False),
        (401, {"description": "canary"}, LOGIN_REFUSED, False),
    ],
)
def test_refusals(broker: OsbBroker, wire: Any, status: int, body: Any, sentence: str, busy: bool) -> None:
    wire.put(INSTANCE_URL, status_code=status, text=body if isinstance(body, str) else json.dumps(body))
    with pytest.raises(BrokerError) as caught:
        broker.provision(INSTANCE, {}, ALICE)
    assert str(caught.value).startswith(sentence)
    assert caught.value.busy is busy
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"null", b'{"state": "canary"}', b'{"state": 1}', b"{", b'{"state": "failed", "description": 3}'],
)
def test_malformed_answers(broker: OsbBroker, wire: Any, content: bytes) -> None:
    wire.get(f"{INSTANCE_URL}/last_operation", content=content)
    with pytest.raises(BrokerError, match="MalformedAnswer") as caught:
        broker.instance_status(INSTANCE, None)
    assert "canary" not in str(caught.value)


def test_a_huge_answer_is_refused(broker: OsbBroker, wire: Any) -> None:
    wire.get(f"{URL}/v2/catalog", content=b" " * (9 * 1024 * 1024))
    with pytest.raises(BrokerError, match="too long"):
        broker.catalog()


@pytest.mark.parametrize("status", [408, 429, 502, 503, 504])
def test_not_now(broker: OsbBroker, wire: Any, status: int) -> None:
    wire.put(INSTANCE_URL, status_code=status, text="no")
    with pytest.raises(Unreachable, match=f"broker.test cannot answer now .HTTP {status}") as caught:
        broker.provision(INSTANCE, {}, ALICE)
    assert caught.value.after_s == 0.0
    wire.put(INSTANCE_URL, status_code=status, text="no", headers={"Retry-After": "90"})
    with pytest.raises(Unreachable) as caught:
        broker.provision(INSTANCE, {}, ALICE)
    assert caught.value.after_s == 90.0


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (requests.ConnectTimeout, "no connection within 5 s"),
        (requests.ReadTimeout, "no answer within 30 s"),
        (requests.ConnectionError, "the connection failed"),
        (requests.exceptions.ChunkedEncodingError, "the connection failed"),
    ],
)
def test_no_answer(broker: OsbBroker, wire: Any, error: type[Exception], words: str) -> None:
    wire.get(f"{URL}/v2/catalog", exc=error("canary"))
    with pytest.raises(Unreachable, match=words) as caught:
        broker.catalog()
    assert "canary" not in str(caught.value)


def test_the_login_is_read_again_when_it_changes(broker: OsbBroker, wire: Any, login: Path) -> None:
    wire.get(f"{URL}/v2/catalog", json={"services": []})
    broker.catalog()
    new = login.with_name("new")
    new.write_text("user:other")
    new.replace(login)
    broker.catalog()
    assert wire.last_request.headers["Authorization"] == "Basic " + base64.b64encode(b"user:other").decode()


@pytest.mark.parametrize(
    "text",
    [None, "", "user", "user:", ":pass", "a:b\nc:d", "Bearer", "Bearer a b", "Bearer a\nb", "user:p\xe4ss"],
)
def test_an_unusable_login(broker: OsbBroker, wire: Any, login: Path, text: str | None) -> None:
    if text is None:
        login.unlink()
    else:
        login.write_text(text, encoding="latin-1")
    with pytest.raises(BrokerError, match=r"with its login is not usable.* one line of UTF-8, user:password or"):
        broker.catalog()


def test_a_bearer_token_is_a_login(broker: OsbBroker, wire: Any, login: Path) -> None:
    login.write_text("Bearer ey.J-0_~+/==\n")
    wire.get(f"{URL}/v2/catalog", json={"services": []})
    broker.catalog()
    assert wire.last_request.headers["Authorization"] == "Bearer ey.J-0_~+/=="


def test_no_proxy_and_no_netrc(broker: OsbBroker) -> None:
    assert broker._session().trust_env is False


def test_without_a_login_there_is_no_header(wire: Any) -> None:
    OsbBroker(URL, None, cluster_id="c1").catalog()
    assert "Authorization" not in wire.last_request.headers


def test_nothing_secret_is_logged(broker: OsbBroker, wire: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    wire.put(BINDING_URL, status_code=201, json={"credentials": {"uri": "canary"}})
    broker.bind(BINDING, ALICE)
    assert "canary" not in caplog.text
    assert "pass:word" not in caplog.text


def test_a_call_says_whose_work_it_is(broker: OsbBroker, wire: Any) -> None:
    """Who asked, and the trace (OSB item 15): on every call, polling too."""
    parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    wire.get(requests_mock.ANY, json={"services": []})
    with carrying({"request_identity": "r1", "traceparent": parent}):
        broker.catalog()
    broker.catalog()
    during, after = (each.headers for each in wire.request_history)
    assert (during["X-Broker-API-Request-Identity"], during["traceparent"]) == ("r1", parent)
    assert not {"X-Broker-API-Request-Identity", "traceparent"} & set(after)
