"""Who asked for what is in the audit, with the names of parameters and never a value."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import TypeAlias

import pytest

from helmbroker.audit import Outcome
from helmbroker.broker.domain.audit import Entry
from tests.api.broker.desk import BINDING, CREDENTIALS, INSTANCE, PROVISION, Desk

IDENTITY = "kubernetes " + base64.b64encode(b'{"username": "alice", "extra": "canary-of-identity"}').decode()
ALICE = {"X-Broker-API-Originating-Identity": IDENTITY}


Told: TypeAlias = "Callable[[], list[Entry]]"


@pytest.fixture
def told(broker: Desk) -> Told:
    """Asks what is in the audit since the test began."""
    before = broker.store.verify().rows
    return lambda: list(broker.store.entries())[before:]


def words(told: Told) -> list[str]:
    return [f"{each.event.action} {each.event.outcome}" for each in told()]


def test_a_whole_life(desk: Desk, told: Told) -> None:
    desk.put()
    desk.work()
    desk.put(BINDING)
    desk.work()
    desk.patch(parameters={"replicas": 2})
    desk.work()
    desk.delete(BINDING)
    desk.work()
    desk.delete()
    begun = [each for each in told() if each.event.outcome is Outcome.ACCEPTED]
    assert [each.event.action for each in begun] == ["provision", "bind", "update", "unbind", "deprovision"]
    assert {each.actor.name for each in begun} == {"platform:platform"}
    assert [dict(each.event.detail).get("parameters") for each in begun] == [
        ["admin.password", "size"],
        ["access", "passphrase"],
        ["replicas"],
        None,
        None,
    ]
    assert [(each.event.instance_id, each.event.binding_id) for each in begun[:2]] == [("i1", None), ("i1", "b1")]
    text = json.dumps([[each.actor.name, each.actor.origin, dict(each.event.detail)] for each in told()])
    assert "canary" not in text
    assert CREDENTIALS["host"] not in text
    assert desk.store.verify().faults == ()


def test_on_whose_behalf(desk: Desk, told: Told) -> None:
    desk.call("PUT", f"{INSTANCE}?accepts_incomplete=true", PROVISION, ALICE)
    desk.put("/v2/service_instances/i2")
    assert [each.actor.origin for each in told()] == ["kubernetes:alice", None]


def test_a_context_alone_is_told_as_well(ready: Desk, told: Told) -> None:
    before = len(told())
    assert ready.patch(context={"platform": "kubernetes", "namespace": "canary"}).status_code == 200
    assert words(told)[before:] == ["update done"]
    assert "canary" not in str(told()[-1].event)


@pytest.mark.parametrize("path", [INSTANCE, BINDING])
def test_what_is_refused_or_repeated_leaves_nothing(ready: Desk, told: Told, path: str) -> None:
    ready.put(path)
    before = words(told)
    ready.put(path)
    ready.put(path, service_id="unknown")
    ready.put(path, parameters={"size": ["canary"]})
    assert words(told) == before


def test_what_had_not_begun_ends_with_the_request_that_stops_it(desk: Desk, told: Told) -> None:
    desk.put()
    desk.delete()
    assert words(told) == ["provision accepted", "provision cancelled", "deprovision accepted"]
