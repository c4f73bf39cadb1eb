"""Who asked for what of which app is in the audit of the bridge, with the names of options and never a value."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeAlias

import pytest
import sqlalchemy as sa

from tests.api.bridge.calls import Calls

RESOURCES = "/v2/apps/shop/resources/"
DB = f"{RESOURCES}my-db/"
NEW = {
    "name": "my-db",
    "plan": "postgresql:small",
    "options": {"storage.size": "canary", "users": {"admin": "canary"}},
}
Told: TypeAlias = "Callable[[], list[dict[str, Any]]]"


@pytest.fixture
def told(call: Calls) -> Told:
    """Asks what is in the audit since the test began."""
    audit = call.world.store.audit
    before = audit.verify().rows
    return lambda: list(audit.entries())[before:]


def work(call: Calls) -> None:
    while call.world.hand.turn():
        pass


def words(told: Told) -> list[str]:
    return [f"{each['actor']}: {each['action']} {each['outcome']}" for each in told()]


def test_a_whole_life(call: Calls, told: Told) -> None:
    steps: list[tuple[str, str, object]] = [
        ("POST", RESOURCES, NEW),
        ("PATCH", f"{DB}binding/", {"bind_action": "bind", "env": {"rename": {"uri": "DATABASE_URL"}}}),
        ("POST", f"{DB}rotate/", None),
        ("PUT", f"{DB}rotate/", {"every_s": 86400}),
        ("PATCH", f"{DB}binding/", {"bind_action": "unbind"}),
        ("DELETE", DB, None),
    ]
    for method, path, body in steps:
        assert call(method, path, body, who="admin" if method == "DELETE" else "member").status_code < 300
        work(call)
    begun = [each for each in told() if each["actor"] != "bridge"]
    assert [(each["actor"], each["action"], each["outcome"]) for each in begun] == [
        ("user:alice", "create", "accepted"),
        ("user:alice", "bind", "accepted"),
        ("user:alice", "rotate", "accepted"),
        ("user:alice", "schedule rotation", "done"),
        ("user:alice", "unbind", "accepted"),
        ("user:root", "destroy", "accepted"),
    ]
    assert {(each["app"], each["resource"]) for each in told()} == {("shop", "my-db")}
    assert [each["detail"] for each in begun[:4]] == [
        {"options": ["storage.size", "users.admin"], "plan": "postgresql:small"},
        {"env": {"rename": {"uri": "DATABASE_URL"}}},
        {},
        {"every_s": 86400.0},
    ]
    ends = [f"{each['action']} {each['outcome']}" for each in told() if each["actor"] == "bridge"]
    assert ends == [f"{action} done" for action in ("create", "bind", "rotate", "unbind", "destroy")]
    assert "canary" not in json.dumps(told())
    assert call.world.store.audit.verify().faults == ()


def test_why_something_failed(call: Calls, told: Told) -> None:
    call.world.broker.fails["provision"] = "no quota"
    call("POST", RESOURCES, NEW)
    work(call)
    last = told()[-1]
    assert (last["actor"], last["outcome"], last["detail"]) == ("bridge", "failed", {"reason": "no quota"})


def test_what_had_not_begun_ends_with_the_request_that_stops_it(call: Calls, told: Told) -> None:
    call.world.created()
    before = len(told())
    call("PATCH", f"{DB}binding/", {"bind_action": "bind"}, who="member")
    call("PATCH", f"{DB}binding/", {"bind_action": "unbind"})
    assert words(told)[before:] == [
        "user:alice: bind accepted",
        "bridge: bind cancelled",
        "user:root: unbind accepted",
    ]


def test_a_rollback_is_of_the_app(call: Calls, told: Told) -> None:
    call.world.bound()
    assert call("POST", "/v2/apps/shop/releases/rollback/", {"version": 1}, who="member").status_code == 201
    entry = told()[-1]
    assert (entry["action"], entry["app"], entry["resource"]) == ("rollback", "shop", None)
    assert entry["detail"] == {"version": 1}


def test_what_is_due_is_done_by_the_bridge(call: Calls, told: Told) -> None:
    call.world.bound()
    before = len(told())
    call.world.service.schedule_rotation("shop", "my-db", 3600.0)
    with call.world.store.writing() as conn:
        conn.execute(sa.text("UPDATE resources SET rotate_at = 0"))
    call.world.service.rotate_due(1)
    assert words(told)[before:] == ["bridge: schedule rotation done", "bridge: rotate accepted"]


def test_an_update_and_a_resource_that_shares(call: Calls, told: Told) -> None:
    call.world.created()
    before = len(told())
    call("PUT", DB, {"plan": "postgresql:small", "options": {"replicas": "canary"}}, who="member")
    work(call)
    call("POST", "/v2/apps/blog/resources/", {"name": "theirs", "from": "shop/my-db"})
    update, end, share = told()[before:]
    assert (update["action"], update["detail"]) == ("update", {"options": ["replicas"], "plan": "small"})
    assert (end["actor"], end["action"], end["outcome"]) == ("bridge", "update", "done")
    assert (share["actor"], share["action"], share["app"], share["resource"]) == (
        "user:root",
        "share",
        "blog",
        "theirs",
    )
    assert share["detail"] == {"source": "shop/my-db"}


def test_what_is_refused_leaves_nothing(call: Calls, told: Told) -> None:
    for who in (None, "viewer", "stranger"):
        call("POST", RESOURCES, NEW, who=who)
    call("POST", RESOURCES, {"name": "canary!"})
    call("PATCH", f"{DB}binding/", {"bind_action": "bind"})
    assert told() == []
