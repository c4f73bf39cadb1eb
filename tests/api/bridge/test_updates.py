"""Updates over REST, and what is told of operations and rights."""

from __future__ import annotations

import re

import pytest

from tests.api.bridge.calls import UUID, Calls
from tests.api.bridge.test_resources import DB, MOMENT, RESOURCES, work


def test_an_update(call: Calls) -> None:
    call.world.created()
    answer = call("PUT", DB, {"plan": "postgresql:large", "options": {"storage.size": "4Gi"}})
    assert (answer.status_code, answer.json["status"]) == (200, "UpdatingInstance")
    assert answer.json["plan"] == "postgresql:small", "it is that until the broker is done"
    again = call("PUT", DB, {"plan": "postgresql:small"})
    assert (again.status_code, again.json) == (400, {"detail": "this resource instance is in progress"})
    bound = call("PATCH", f"{DB}binding/", {"bind_action": "bind"})
    assert (bound.status_code, bound.json) == (400, {"detail": "the resource instance is not ready"})
    work(call)
    shown = call("GET", DB).json
    assert (shown["status"], shown["plan"]) == ("Ready", "postgresql:large")
    assert shown["options"] == {"storage.size": "4Gi"}


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        ({}, {"detail": "the resource instance cann't changed"}),
        ({"options": {"replicas": "2"}}, {"detail": "the resource instance cann't changed"}),
        ({"plan": "redis:large"}, {"detail": "the resource instance cann't changed"}),
        ({"plan": "p" * 129}, {"plan": ["Ensure this field has no more than 128 characters."]}),
        (
            {"plan": "postgresql:small", "options": [1]},
            {"options": ['Expected a dictionary of items but got type "list".']},
        ),
        (
            {"plan": "postgresql:small", "options": {"rawValues": "*"}},
            {"options": ["rawValues has to be a YAML file in base64"]},
        ),
    ],
)
def test_bad_updates(call: Calls, body: object, answer: object) -> None:
    call.world.created()
    got = call("PUT", DB, body)
    assert (got.status_code, got.json) == (400, answer)
    assert call.world.resource().instance == "Ready"


@pytest.mark.parametrize("body", [{"options": {"replicas": "2"}}, {"plan": None, "options": {"replicas": "2"}}])
def test_without_a_plan_the_service_s_own_dialect_keeps_it(call: Calls, body: object) -> None:
    """As the plugin of Drycc's resources service asks: it sends no plan."""
    call.world.created()
    call.world.run(call.world.service.update("shop", "my-db", "postgresql:large", {}, "alice").instance_operation)
    assert call("PUT", DB.removeprefix("/v2"), body).status_code == 200
    work(call)
    shown = call("GET", DB).json
    assert (shown["plan"], shown["options"]["replicas"], shown["failed"]) == ("postgresql:large", "2", False)


def test_options_that_a_broker_does_not_show(call: Calls) -> None:
    call("POST", RESOURCES, {"name": "cache", "plan": "redis:standard-128", "options": {"a": "b"}})
    work(call)
    shown = call("GET", f"{RESOURCES}cache/").json
    assert (shown["options"], shown["options_shown"]) == ({}, False)


def test_what_was_done_and_why_it_ended_so(call: Calls) -> None:
    call.world.created()
    call.world.broker.fails["update"] = "quota exceeded"
    call("PUT", DB, {"plan": "postgresql:large"})
    going_on = call("GET", f"{DB}operations/", who="viewer").json["results"][0]
    assert (going_on["state"], going_on["finished"], going_on["took_s"]) == ("queued", None, None)
    work(call)
    listed = call("GET", f"{DB}operations/?limit=1").json
    assert (listed["count"], len(listed["results"])) == (2, 1)
    last = listed["results"][0]
    assert re.fullmatch(UUID, last.pop("operation"))
    assert re.fullmatch(MOMENT, last.pop("created"))
    assert re.fullmatch(MOMENT, last.pop("finished"))
    assert last.pop("took_s") >= 0
    assert last.pop("attempt") >= 1
    assert last == {
        "kind": "update",
        "state": "failed",
        "description": "quota exceeded",
        "steps": ["resolve", "update", "forget options"],
        "owner": "root",
    }


@pytest.mark.parametrize(("who", "role"), [("admin", "admin"), ("member", "member"), ("viewer", "viewer")])
def test_what_one_may_do(call: Calls, who: str, role: str) -> None:
    users = {"admin": "root", "member": "alice", "viewer": "victor"}
    answer = call("GET", "/v2/apps/shop/access/", who=who)
    assert answer.json == {"app": "shop", "user": users[who], "role": role}
