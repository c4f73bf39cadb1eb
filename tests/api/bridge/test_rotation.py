"""Rotation over REST: what begins it, what schedules it, what is refused. Who may: test_everywhere.py."""

from __future__ import annotations

import re
import time

import pytest

from helmbroker.controller_bridge.model import Kind
from tests.api.bridge.calls import Calls

ROTATE = "/v2/apps/shop/resources/my-db/rotate/"
DB = "/v2/apps/shop/resources/my-db/"


@pytest.mark.parametrize(
    ("body", "kind"),
    [(None, Kind.ROTATE), ({}, Kind.ROTATE), ({"force": False}, Kind.ROTATE), ({"force": True}, Kind.ROTATE_NOW)],
)
def test_it_begins_and_shows_the_resource(call: Calls, body: object, kind: Kind) -> None:
    old = call.world.bound().binding_id
    answer = call("POST", ROTATE, body, who="member")
    assert (answer.status_code, answer.json["binding"]) == (200, "Rotating")
    assert call.world.hand.operation(str(call.world.resource().binding_operation)).kind == kind
    during = call("GET", DB).json
    assert during["data"]["MY_DB_URI"] == f"postgres://u:{old}@db:5432/app", "what the app has"
    while call.world.hand.turn():
        pass
    shown = call("GET", DB).json
    assert (shown["binding"], shown["failed"]) == ("Ready", False)
    assert shown["data"]["MY_DB_URI"] == f"postgres://u:{call.world.resource().binding_id}@db:5432/app"


def test_a_failure_is_told(call: Calls) -> None:
    call.world.bound()
    call.world.broker.fails["bind"] = "no more users"
    call("POST", ROTATE)
    while call.world.hand.turn():
        pass
    shown = call("GET", DB).json
    assert (shown["binding"], shown["failed"], shown["message"]) == ("Ready", True, "no more users")


def test_what_cannot_be_rotated(call: Calls) -> None:
    missing = call("POST", ROTATE)
    assert (missing.status_code, missing.json) == (404, "No Resource matches the given query.")
    call.world.created()
    unbound = call("POST", ROTATE)
    assert (unbound.status_code, unbound.json) == (400, {"detail": "the resource instance is not binding"})
    call.world.run(call.world.service.bind("shop", "my-db", "alice").binding_operation)
    call("POST", ROTATE)
    twice = call("POST", ROTATE)
    assert (twice.status_code, twice.json) == (409, {"detail": "Resource my-db is rotating"})
    unsure = call("POST", ROTATE, {"force": "yes"})
    assert (unsure.status_code, unsure.json) == (400, {"force": ["Must be a valid boolean."]})


def test_of_the_administrator(call: Calls) -> None:
    call.world.bound()
    answer = call("POST", ROTATE, {"admin": True}, who="member")
    assert (answer.status_code, answer.json["status"], answer.json["binding"]) == (200, "UpdatingInstance", "Ready")
    again = call("POST", ROTATE, {"admin": True})
    assert (again.status_code, again.json) == (400, {"detail": "this resource instance is in progress"})
    while call.world.hand.turn():
        pass
    shown = call("GET", DB).json
    assert (shown["status"], shown["failed"]) == ("Ready", False)
    assert shown["message"] == "The administrator's password of the instance was replaced"
    assert set(shown["options"]) == {"admin.rotation"}


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ({"admin": "yes"}, {"admin": ["Must be a valid boolean."]}),
        ({"admin": True, "force": True}, {"force": ["No app has the administrator's password: leave it out."]}),
    ],
)
def test_what_is_no_rotation_of_the_administrator(call: Calls, body: object, complaint: object) -> None:
    call.world.bound()
    answer = call("POST", ROTATE, body)
    assert (answer.status_code, answer.json) == (400, complaint)


def test_a_schedule(call: Calls) -> None:
    call.world.bound()
    assert (call("GET", DB).json["rotate_every_s"], call("GET", DB).json["rotate_at"]) == (None, None)
    answer = call("PUT", ROTATE, {"every_s": 2592000}, who="member")
    assert (answer.status_code, answer.json["rotate_every_s"], answer.json["binding"]) == (200, 2592000.0, "Ready")
    due = time.strftime("%Y-%m-%d", time.gmtime(time.time() + 2592000))
    assert re.fullmatch(rf"{due}T\d\d:\d\d:\d\dZ", answer.json["rotate_at"])
    ended = call("PUT", ROTATE, {"every_s": None})
    assert (ended.json["rotate_every_s"], ended.json["rotate_at"]) == (None, None)


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ({}, "This field is required."),
        ({"every_s": "30d"}, "A valid number is required."),
        ({"every_s": True}, "A valid number is required."),
        ({"every_s": 59}, "Ensure this value is from 3600 to 315360000."),
        ({"every_s": 1e300}, "Ensure this value is from 3600 to 315360000."),
    ],
)
def test_schedules_that_cannot_be(call: Calls, body: object, complaint: str) -> None:
    call.world.bound()
    answer = call("PUT", ROTATE, body)
    assert (answer.status_code, answer.json) == (400, {"every_s": [complaint]})
