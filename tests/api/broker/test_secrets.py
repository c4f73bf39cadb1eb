"""Nothing secret in answers of errors, nor in any log line at any level."""

from __future__ import annotations

import base64
import json
import logging
from pathlib import Path

import pytest

from helmbroker.broker.store.schema import instances
from helmbroker.catalog.model import Catalog
from tests.api.broker.desk import ASYNC, BIND, BINDING, CREDENTIALS, INSTANCE, LOGIN, PROVISION, Desk

CANARIES = (
    "canary",  # the beginning of every secret of tests/api/broker/desk.py
    LOGIN.removeprefix("Basic "),
    base64.b64encode(b"canary").decode().rstrip("="),
)


def assert_clean(text: str) -> None:
    assert [canary for canary in CANARIES if canary in text] == []


@pytest.mark.bug(51)
def test_no_log_line_of_a_whole_life_holds_a_secret(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        for path in (INSTANCE, BINDING):
            desk.put(path)
            desk.work()
            desk.put(path)
            desk.get(path)
        desk.put(parameters={"size": "canary"})
        desk.call("PUT", f"{INSTANCE}{ASYNC}", b'{"parameters": "canary')
        desk.call("GET", "/v2/catalog", headers={"Authorization": f"{LOGIN}x"})
        desk.call("GET", INSTANCE, headers={"X-Broker-API-Originating-Identity": "canary canary"})
        for path in (BINDING, INSTANCE):
            desk.delete(path)
            desk.work()
    assert caplog.records
    assert_clean(caplog.text + str([record.__dict__ for record in caplog.records]))


@pytest.mark.bug(86)
def test_no_error_repeats_what_was_sent(ready: Desk) -> None:
    canary = {"canary": "canary"}
    wrong = [
        ready.put(parameters={"size": "canary", "replicas": "canary", "admin": {"password": ["canary"]}}),
        ready.put(parameters={"admin": "canary"}),
        ready.put(parameters=["canary"]),
        ready.put(context="canary", maintenance_info="canary", organization_guid=canary, plan_id=["canary"]),
        ready.put(service_id="canary"),
        ready.put(plan_id="canary"),
        ready.put(space_guid="canary"),
        ready.put(BINDING, app_guid=canary, bind_resource="canary"),
        ready.put(BINDING, parameters={"access": "canary"}),
        ready.call("PUT", f"{INSTANCE}{ASYNC}", b'{"canary"'),
        ready.call("PUT", f"{INSTANCE}?accepts_incomplete=canary", PROVISION),
        ready.call("GET", INSTANCE, headers={"X-Broker-API-Version": "canary"}),
        ready.call("GET", INSTANCE, headers={"X-Broker-API-Originating-Identity": "canary"}),
        ready.call("GET", INSTANCE, headers={"Authorization": "Basic canary"}),
        ready.call("GET", "/canary"),
        ready.call("CANARY", INSTANCE),
    ]
    assert {response.status_code for response in wrong} == {400, 401, 404, 405, 409}
    for response in wrong:
        assert_clean(response.text)


@pytest.mark.osb(63, 111)
def test_secrets_of_parameters_are_never_shown_again(ready: Desk) -> None:
    ready.put(BINDING)
    ready.work()
    for path in (INSTANCE, f"{INSTANCE}/last_operation", f"{BINDING}/last_operation"):
        assert_clean(ready.get(path).text)
    shown = ready.get(BINDING).get_json()
    assert shown.pop("credentials") == CREDENTIALS
    assert_clean(json.dumps(shown))


@pytest.mark.bug(50, 53)
def test_the_database_file_holds_no_secret_and_after_a_delete_not_even_a_sealed_one(
    data: Path, catalog: Catalog
) -> None:
    desk = Desk(data, catalog)  # a file of its own: that of all tests has what others have called canary
    for path in (INSTANCE, BINDING):
        desk.put(path)
        desk.work()
    stored = b"".join(path.read_bytes() for path in data.glob("helmbroker.db*"))
    assert b"canary" not in stored
    assert BIND["app_guid"].encode() in stored  # the scan reads what it should
    desk.delete()
    desk.work()
    with desk.store.read() as records:
        record = records.instance("i1")
        assert record is not None
        assert record.instance.parameters.reveal() == {}
        assert records.binding("i1", "b1") is None
    desk.store.close()


@pytest.mark.osb(10, 15)
def test_a_fault_of_ours_is_logged_and_told_to_nobody(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    """The log has the cause and the identity of the request."""
    desk.put()
    desk.work()
    with desk.store.engine.begin() as conn:
        conn.execute(instances.update().values(sealed_parameters=b"0"))
    response = desk.call("GET", INSTANCE, headers={"X-Broker-API-Request-Identity": "request-1"})
    assert response.status_code == 500
    assert response.get_json() == {
        "error": "InternalError",
        "description": "The broker met an internal error; its log has the cause. Try again, or tell the operator.",
    }
    assert response.headers["X-Broker-API-Request-Identity"] == "request-1"
    (record,) = [record for record in caplog.records if record.name == "helmbroker.api"]
    assert record.exc_info is not None
    assert record.__dict__["request_identity"] == "request-1"
