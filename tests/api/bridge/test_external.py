"""The class `external` over REST: credentials go in, and come out only as those of a binding."""

from __future__ import annotations

import base64
from typing import Any

from tests.api.bridge.calls import Calls
from tests.api.bridge.test_resources import DB, RESOURCES, work

CANARY = "canary-of-a-vendor"
NEW = {"name": "my-db", "plan": "external:credentials", "options": {"uri": "postgres://one", "password": CANARY}}


def bound(call: Calls) -> None:
    call("POST", RESOURCES, NEW)
    work(call)
    call("PATCH", f"{DB}binding/", {"bind_action": "bind"})
    work(call)


def test_it_is_among_the_services(call: Calls) -> None:
    plans = call("GET", "/v2/resources/services/external/plans/").json["results"]
    assert [plan["name"] for plan in plans] == ["secret", "credentials"]


def test_a_whole_life(call: Calls) -> None:
    answers: list[Any] = [call("POST", RESOURCES, NEW)]
    work(call)
    answers += [call("GET", DB), call("GET", RESOURCES), call("PATCH", f"{DB}binding/", {"bind_action": "bind"})]
    work(call)
    assert call("GET", DB).json["data"] == {"MY_DB_URI": "postgres://one", "MY_DB_PASSWORD": CANARY}
    answers += [call("PUT", DB, {"plan": "external:credentials", "options": {"uri": "postgres://two"}})]
    work(call)
    shown = call("GET", DB).json
    assert shown["data"] == {"MY_DB_URI": "postgres://two", "MY_DB_PASSWORD": CANARY}
    assert (shown["status"], shown["binding"], shown["broker"]) == ("Ready", "Ready", "external")
    assert (shown["options"], shown["options_shown"]) == ({}, False)
    answers += [call("GET", RESOURCES), call("PATCH", f"{DB}binding/", {"bind_action": "unbind"})]
    work(call)
    answers += [call("GET", DB), call("DELETE", DB)]
    work(call)
    assert call("GET", DB).status_code == 404
    assert all(answer.status_code < 300 for answer in answers)
    assert not any(CANARY in answer.text for answer in answers)


def test_a_file_of_credentials(call: Calls) -> None:
    raw = base64.b64encode(b"uri: postgres://one\nca: |\n  PEM\n").decode()
    call("POST", RESOURCES, {**NEW, "options": {"rawValues": raw}})
    work(call)
    call("PATCH", f"{DB}binding/", {"bind_action": "bind", "env": {"rename": {"uri": "DATABASE_URL"}}})
    work(call)
    assert call("GET", DB).json["data"] == {"DATABASE_URL": "postgres://one", "MY_DB_CA": "PEM\n"}


def test_the_update_is_over_when_the_app_has_them(call: Calls) -> None:
    bound(call)
    call("PUT", DB, {"plan": "external:credentials", "options": {"uri": "postgres://two"}})
    assert call("GET", DB).json["status"] == "UpdatingInstance"
    while call("GET", DB).json["status"] == "UpdatingInstance":
        assert call.world.hand.turn()
    between = call("GET", DB).json
    assert (between["status"], between["binding"], between["failed"]) == ("Ready", "Rotating", False)
    work(call)
    after = call("GET", DB).json
    assert (after["binding"], after["message"]) == (
        "Ready",
        "The new credentials are live in the app with release v3",
    )


def test_who_may_only_look_gives_none(call: Calls) -> None:
    assert call("POST", RESOURCES, NEW, who="viewer").status_code == 403
    bound(call)
    assert (
        call("PUT", DB, {"plan": "external:credentials", "options": {"uri": "x"}}, who="viewer").status_code == 403
    )


def test_a_failure_names_no_value(call: Calls) -> None:
    call("POST", RESOURCES, {**NEW, "options": {"a": {"b": CANARY}, "a.b": CANARY}})
    work(call)
    answer = call("GET", DB)
    assert answer.json["status"] == "Failed"
    assert CANARY not in answer.text
