"""Resources that have the instance of another app's one: who may make them, and what is shown of them."""

from __future__ import annotations

from typing import Any

import pytest

from helmbroker.controller_bridge.model import Role
from helmbroker.controller_bridge.tokens import Tokens
from tests.api.bridge.calls import Calls
from tests.api.bridge.test_resources import DB, work

THEIRS = "/v2/apps/blog/resources/"
SHARE = {"name": "their-db", "from": "shop/my-db"}


def token(call: Calls, role: Role, *apps: str) -> str:
    """Of one who has that role in these apps."""
    call.tokens["both"] = Tokens(call.tokens_file).add("bob", apps, role)
    return "both"


def test_it_is_made_for_a_member_of_both_apps(call: Calls) -> None:
    call.world.created()
    answer = call("POST", THEIRS, SHARE, who=token(call, Role.MEMBER, "shop", "blog"))
    shown = answer.json
    assert answer.status_code == 201
    assert {key: shown[key] for key in ("app", "name", "plan", "broker", "shared_from", "owner", "status")} == {
        "app": "blog",
        "name": "their-db",
        "plan": "postgresql:small",
        "broker": "default",
        "shared_from": "shop/my-db",
        "owner": "bob",
        "status": "Ready",
    }
    assert call("GET", DB).json["shared_with"] == ["blog/their-db"]
    seen = call("GET", f"{THEIRS}their-db/").json
    assert (seen["shared_with"], seen["message"]) == ([], "The instance is that of shop/my-db")
    assert call("GET", THEIRS).json["results"][0]["shared_from"] == "shop/my-db"


@pytest.mark.parametrize(
    ("role", "apps"),
    [
        (Role.MEMBER, ["blog"]),
        (Role.MEMBER, ["shop"]),
        (Role.ADMIN, ["blog"]),
        (Role.VIEWER, ["blog", "shop"]),
    ],
)
@pytest.mark.parametrize("there", [True, False])
def test_nobody_else_may(call: Calls, role: Role, apps: list[str], there: bool) -> None:
    """Nor learns whether there is such a resource."""
    if there:
        call.world.created()
    answer = call("POST", THEIRS, SHARE, who=token(call, role, *apps))
    assert (answer.status_code, answer.json) == (
        403,
        {"detail": "You do not have permission to perform this action."},
    )
    assert call("GET", THEIRS).json["count"] == 0


@pytest.mark.parametrize(
    ("changed", "messages"),
    [
        ({"name": "x"}, {"name": ["Ensure this field has at least 3 characters."]}),
        ({"from": "my-db"}, {"from": ["Name another app's resource: app/name."]}),
        ({"from": "a/b/c"}, {"from": ["Name another app's resource: app/name."]}),
        ({"from": None}, {"from": ["Name another app's resource: app/name."]}),
        ({"plan": "redis:small"}, {"plan": ["It is that of the resource that is shared: leave it out."]}),
        ({"options": {"a": "b"}}, {"options": ["It is that of the resource that is shared: leave it out."]}),
    ],
)
def test_bodies_that_cannot_be(call: Calls, changed: dict[str, Any], messages: dict[str, list[str]]) -> None:
    call.world.created()
    answer = call("POST", THEIRS, {**SHARE, **changed})
    assert (answer.status_code, answer.json) == (400, messages)


def test_states_that_refuse(call: Calls) -> None:
    missing = call("POST", THEIRS, SHARE)
    assert (missing.status_code, missing.json) == (404, "No Resource matches the given query.")
    call.world.create()
    early = call("POST", THEIRS, SHARE)
    assert (early.status_code, early.json) == (400, {"detail": "the resource instance is not ready"})
    work(call)
    call("POST", THEIRS, SHARE)
    again = call("POST", THEIRS, SHARE)
    assert (again.status_code, list(again.json)) == (400, ["non_field_errors"])
    kept = call("DELETE", DB)
    sentence = "the resource instance is shared with blog/their-db: destroy that first"
    assert (kept.status_code, kept.json) == (400, {"detail": sentence})
    update = call("PUT", f"{THEIRS}their-db/", {"plan": "postgresql:large"})
    sentence = "the resource instance is that of shop/my-db: update that"
    assert (update.status_code, update.json) == (400, {"detail": sentence})


def test_a_whole_life_beside_its_source(call: Calls) -> None:
    call.world.bound()
    call("POST", THEIRS, SHARE)
    call("PATCH", f"{THEIRS}their-db/binding/", {"bind_action": "bind"})
    work(call)
    ours, theirs = call("GET", DB).json["data"], call("GET", f"{THEIRS}their-db/").json["data"]
    assert (set(ours), set(theirs)) == ({"MY_DB_URI", "MY_DB_PORT"}, {"THEIR_DB_URI", "THEIR_DB_PORT"})
    assert ours["MY_DB_URI"] != theirs["THEIR_DB_URI"]
    call("PATCH", f"{THEIRS}their-db/binding/", {"bind_action": "unbind"})
    work(call)
    assert call("DELETE", f"{THEIRS}their-db/").status_code == 204
    work(call)
    assert call("GET", f"{THEIRS}their-db/").status_code == 404
    assert call("GET", DB).json["data"] == ours
    assert call("GET", DB).json["shared_with"] == []
