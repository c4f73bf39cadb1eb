"""What the OSB client makes of catalogs, refusals and what is no answer; its logins, and what it tells nobody."""

from __future__ import annotations

import base64
import json
import logging
from pathlib import Path
from typing import Any

import pytest
import requests
import requests_mock

from helmbroker.controller_bridge.broker_port import (
    BrokerError,
    Unreachable,
)
from helmbroker.controller_bridge.osb import OsbBroker
from helmbroker.telemetry.carried import carrying
from tests.unit.bridge.osb_client import (
    ALICE,
    BINDING,
    BINDING_URL,
    INSTANCE,
    INSTANCE_URL,
    URL,
    broker,
    login,
    wire,
)

__all__ = ["broker", "login", "wire"]


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
