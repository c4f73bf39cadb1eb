"""Every endpoint in both dialects, with the last slash and without: each status that clients know, and its body."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from helmbroker.controller_bridge.broker_port import Unreachable
from helmbroker.controller_bridge.external import OFFERING as EXTERNAL
from tests.api.bridge.calls import Calls

SERVICES = "/resources/services/"
PLANS = "/resources/services/postgresql/plans/"
RESOURCES = "/apps/shop/resources/"
DB = f"{RESOURCES}my-db/"
BINDING = f"{DB}binding/"
NEW = {"name": "my-db", "plan": "postgresql:small"}
BIND, UNBIND = {"bind_action": "bind"}, {"bind_action": "unbind"}
DIFFERS = ("uuid", "created", "updated", "operation", "finished", "took_s")


class Row(NamedTuple):
    """A request in a state, and its answer; `body` of a list is what the array holds."""

    state: Callable[[Calls], object]
    method: str
    path: str
    sent: object
    status: int
    body: object
    who: str | None = "admin"
    bare: tuple[int, object] | None = None  # status and body without /v2, where they are others


def nothing(_call: Calls) -> None:
    """No resource."""


def asked(call: Calls) -> None:
    """Provisioning."""
    call.world.create()


def ready(call: Calls) -> None:
    call.world.created()


def binding(call: Calls) -> None:
    ready(call)
    call.world.service.bind("shop", "my-db", "alice")


def bound(call: Calls) -> None:
    call.world.bound()


def unmade(call: Calls) -> None:
    """It could not be made."""
    call.world.broker.fails["provision"] = "no space"
    ready(call)


def updating(call: Calls) -> None:
    ready(call)
    call.world.service.update("shop", "my-db", "postgresql:large", {}, "alice")


def silent(call: Calls) -> None:
    """The broker does not answer."""

    def hang(_method: str) -> None:
        raise Unreachable("the broker at b does not answer")

    call.world.broker.before = hang


def shown(**fields: object) -> dict[str, object]:
    """The golden resource; `fields` are what differs from one that was just asked for."""
    return {
        "app": "shop",
        "app_id": "shop",
        "workspace_id": None,
        "owner": "alice",
        "name": "my-db",
        "plan": "postgresql:small",
        "broker": "default" if "status" in fields else None,
        "shared_from": None,
        "data": {},
        "status": "Provisioning",
        "binding": None,
        "options": {},
        "env": {},
        "rotate_every_s": None,
        "rotate_at": None,
        **fields,
    }


def detail(sentence: str) -> dict[str, str]:
    return {"detail": sentence}


NO_TOKEN = detail("Authentication credentials were not provided.")
NO_RIGHT = detail("You do not have permission to perform this action.")
NOT_THERE = "No Resource matches the given query."
ELSEWHERE = {"id": EXTERNAL.id, "name": "external", "updateable": True}
OFFERED = [
    ELSEWHERE,
    {"id": "svc-pg", "name": "postgresql", "updateable": True},
    {"id": "svc-redis", "name": "redis", "updateable": False},
]
ONE_AWAY = {"results": [ELSEWHERE], "count": 1, "unavailable": ["the broker at b does not answer"]}
PLAN_LIST = [
    {"id": "plan-xs", "name": "xs", "description": "a bit of CPU"},
    {"id": "plan-large", "name": "large", "description": "8 CPU"},
    {"id": "plan-small", "name": "small", "description": "1 CPU"},
]
MADE = "The instance was provisioned successfully"
CANNOT = detail("the resource instance cann't changed")
TWICE = {"non_field_errors": ["The fields app, name must make a unique set."]}
ROWS = {
    "services": Row(nothing, "GET", SERVICES, None, 200, {"results": OFFERED, "count": 3}),
    "services, one broker away": Row(silent, "GET", SERVICES, None, 200, ONE_AWAY),
    "services, no token": Row(nothing, "GET", SERVICES, None, 401, NO_TOKEN, None),
    "plans": Row(nothing, "GET", PLANS, None, 200, {"results": PLAN_LIST, "count": 3}),
    "plans of nothing": Row(nothing, "GET", f"{SERVICES}a b.c_d-e/plans/", None, 200, {"results": [], "count": 0}),
    "plans, no token": Row(nothing, "GET", PLANS, None, 401, NO_TOKEN, None),
    "list": Row(ready, "GET", RESOURCES, None, 200, [shown(status="Ready")]),
    "list, nothing": Row(nothing, "GET", RESOURCES, None, 200, []),
    "list, no token": Row(ready, "GET", RESOURCES, None, 401, NO_TOKEN, None),
    "list, no right": Row(ready, "GET", RESOURCES, None, 403, NO_RIGHT, "stranger"),
    "create": Row(nothing, "POST", RESOURCES, NEW, 201, shown(owner="root")),
    "create, no name": Row(nothing, "POST", RESOURCES, {"plan": "a:b"}, 400, {"name": ["This field is required."]}),
    "create, twice": Row(ready, "POST", RESOURCES, NEW, 400, TWICE),
    "create, no token": Row(nothing, "POST", RESOURCES, NEW, 401, NO_TOKEN, None),
    "create, no right": Row(nothing, "POST", RESOURCES, NEW, 403, NO_RIGHT, "viewer"),
    "get": Row(
        ready,
        "GET",
        DB,
        None,
        200,
        shown(status="Ready", message=MADE, failed=False, options_shown=True, shared_with=[]),
    ),
    "get, not there": Row(nothing, "GET", DB, None, 404, NOT_THERE),
    "get, no right": Row(ready, "GET", DB, None, 403, NO_RIGHT, "stranger"),
    "update": Row(ready, "PUT", DB, {"plan": "postgresql:large"}, 200, shown(status="UpdatingInstance")),
    "update, nothing to do": Row(
        ready, "PUT", DB, {"plan": "postgresql:small"}, 200, shown(status="UpdatingInstance")
    ),
    "update, no plan": Row(
        ready, "PUT", DB, {"options": {"a": "b"}}, 400, CANNOT, bare=(200, shown(status="UpdatingInstance"))
    ),
    "update, no plan, provisioning": Row(
        asked, "PUT", DB, {}, 400, CANNOT, bare=(400, detail("this resource instance is in progress"))
    ),
    "update, another service": Row(ready, "PUT", DB, {"plan": "redis:large"}, 400, CANNOT),
    "update, provisioning": Row(
        asked, "PUT", DB, {"plan": "postgresql:large"}, 400, detail("this resource instance is in progress")
    ),
    "update, updating": Row(
        updating, "PUT", DB, {"plan": "postgresql:xs"}, 400, detail("this resource instance is in progress")
    ),
    "update, not there": Row(nothing, "PUT", DB, {"plan": "postgresql:xs"}, 404, NOT_THERE),
    "update, no right": Row(ready, "PUT", DB, {"plan": "postgresql:xs"}, 403, NO_RIGHT, "viewer"),
    "bind": Row(ready, "PATCH", BINDING, BIND, 200, shown(status="Ready", binding="Binding")),
    "bind, in capitals": Row(
        ready, "PATCH", BINDING, {"bind_action": "BIND"}, 200, shown(status="Ready", binding="Binding")
    ),
    "bind, not ready": Row(asked, "PATCH", BINDING, BIND, 400, detail("the resource instance is not ready")),
    "bind, failed": Row(unmade, "PATCH", BINDING, BIND, 400, detail("the resource instance is not ready")),
    "bind, bound": Row(bound, "PATCH", BINDING, BIND, 400, detail("the resource instance is binding")),
    "bind, binding": Row(binding, "PATCH", BINDING, BIND, 409, detail("Resource my-db is binding")),
    "bind, not there": Row(nothing, "PATCH", BINDING, BIND, 404, NOT_THERE),
    "bind, no right": Row(ready, "PATCH", BINDING, BIND, 403, NO_RIGHT, "viewer"),
    "unbind": Row(bound, "PATCH", BINDING, UNBIND, 200, shown(status="Ready", binding="Unbinding")),
    "unbind, unbound": Row(ready, "PATCH", BINDING, UNBIND, 400, detail("the resource instance is not binding")),
    "unknown action": Row(ready, "PATCH", BINDING, {"bind_action": "x"}, 404, "unknown action"),
    "destroy": Row(ready, "DELETE", DB, None, 204, None),
    "destroy, failed": Row(unmade, "DELETE", DB, None, 204, None),
    "destroy, binding": Row(binding, "DELETE", DB, None, 204, None),
    "destroy, updating": Row(updating, "DELETE", DB, None, 204, None),
    "destroy, bound": Row(bound, "DELETE", DB, None, 400, detail("the resource instance is still binding")),
    "destroy, asked": Row(asked, "DELETE", DB, None, 400, detail("the resource instance is provisioning")),
    "destroy, not there": Row(nothing, "DELETE", DB, None, 404, NOT_THERE),
    "destroy, no right": Row(ready, "DELETE", DB, None, 403, NO_RIGHT, "member"),
    "rotate": Row(bound, "POST", f"{DB}rotate/", {}, 200, shown(status="Ready", binding="Rotating")),
    "rotate, unbound": Row(ready, "POST", f"{DB}rotate/", {}, 400, detail("the resource instance is not binding")),
    "operations": Row(
        ready,
        "GET",
        f"{DB}operations/",
        None,
        200,
        [
            {
                "kind": "create",
                "state": "succeeded",
                "description": MADE,
                "steps": ["resolve", "provision", "forget options", "await"],
                "owner": "alice",
                "attempt": 1,
            }
        ],
    ),
    "operations, not there": Row(nothing, "GET", f"{DB}operations/", None, 404, NOT_THERE),
    "access": Row(
        nothing,
        "GET",
        "/apps/shop/access/",
        None,
        200,
        {"app": "shop", "user": "alice", "role": "member"},
        "member",
    ),
    "releases": Row(nothing, "GET", "/apps/shop/releases/", None, 200, []),
    "rollback": Row(
        nothing,
        "POST",
        "/apps/shop/releases/rollback/",
        {"version": 9},
        400,
        detail("There is no release v9 of shop."),
    ),
}


def plain(body: Any) -> Any:
    """Without what differs from run to run."""
    if isinstance(body, list):
        return [plain(one) for one in body]
    return {key: value for key, value in body.items() if key not in DIFFERS} if isinstance(body, dict) else body


@pytest.mark.parametrize(("prefix", "slash"), [("/v2", "/"), ("/v2", ""), ("", "/")])
@pytest.mark.parametrize("name", ROWS)
def test_every_endpoint(call: Calls, name: str, prefix: str, slash: str) -> None:
    row = ROWS[name]
    row.state(call)
    answer = call(row.method, f"{prefix}{row.path.rstrip('/')}{slash}", row.sent, who=row.who)
    status, expected = row.bare if row.bare and not prefix else (row.status, row.body)
    assert answer.status_code == status
    assert (answer.headers["DRYCC_API_VERSION"], answer.headers["DRYCC_PLATFORM_VERSION"]) == ("2.3", "2.3.0")
    if isinstance(expected, list) and prefix:
        count = len(expected)
        expected = {"count": count, "next": None, "previous": None, "results": expected}
        assert {**answer.json, "results": plain(answer.json["results"])} == expected
    else:
        assert plain(answer.json if answer.data else None) == expected


def test_an_array_is_whole(call: Calls) -> None:
    """Who gets no `count` and no `next` would not notice that something is missing."""
    for number in range(101):
        call.world.create(f"db-{number}")
    assert len(call("GET", f"/v2{RESOURCES}").json["results"]) == 100
    assert len(call("GET", RESOURCES).json) == 101
    assert len(call("GET", f"{RESOURCES}?limit=7").json) == 7
