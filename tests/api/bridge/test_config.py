"""Config of an app without a controller, in the controller's dialect."""

from __future__ import annotations

import re
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from helmbroker.controller_bridge.apps.port import AppReleases, AppsUnavailable, CannotRelease
from helmbroker.durable import State
from tests.api.bridge.calls import UUID, Calls, served

CONFIG = "/v2/apps/shop/config/"
RELEASES = "/v2/apps/shop/releases/"


@pytest.fixture
def call(call: Calls) -> Calls:
    call.world.apps.add_app("shop", {"web": "shop:1", "worker": "shop:1"})
    return call


def post(call: Calls, *values: dict[str, Any], query: str = "", **refs: list[str]) -> Any:
    return call("POST", f"{CONFIG}{query}", {"values": list(values), "values_refs": refs}, who="member")


def item(name: str, value: str | None, group: str = "global") -> dict[str, Any]:
    return {"name": name, "value": value, "group": group}


def own(name: str, value: str | None, process_type: str) -> dict[str, Any]:
    return {"name": name, "value": value, "ptype": process_type}


def run_all(call: Calls) -> list[State]:
    """Every release that waits to be watched."""
    ids = [one.key for one in reversed(call.world.apps.releases("shop")) if one.key]
    return [call.world.run(key).state for key in ids]


def test_an_app_begins_without_config(call: Calls) -> None:
    answer = call("GET", CONFIG, who="viewer")
    assert answer.status_code == 200
    assert {name: answer.json[name] for name in ("app", "version", "values", "values_refs", "limits")} == {
        "app": "shop",
        "version": 0,
        "values": [],
        "values_refs": {},
        "limits": {},
    }


def test_a_change_is_a_release_that_is_found_by_its_config(call: Calls) -> None:
    made = post(call, item("LEVEL", "info"), own("LEVEL", "debug", "worker"))
    assert made.status_code == 201
    assert made.json["values"] == [item("LEVEL", "info"), own("LEVEL", "debug", "worker")]
    newest = call("GET", RELEASES).json["results"][0]
    assert (newest["config"], newest["version"]) == (made.json["uuid"], 2)
    assert (newest["state"], newest["owner"]) == ("created", "alice")
    assert newest["summary"] == "alice changed config global, ptype:worker"
    assert run_all(call) == [State.SUCCEEDED]
    assert call.world.apps.apps["shop"].by_type == {"web": {"LEVEL": "info"}, "worker": {"LEVEL": "debug"}}
    assert call("GET", RELEASES).json["results"][0]["state"] == "succeed"
    assert call("GET", CONFIG).json == made.json
    assert call("GET", f"{CONFIG}?version=v1").json["values"] == []


def test_values_are_merged_and_removed(call: Calls) -> None:
    post(call, item("A", "1"), item("B", ""), item("C", "3"))
    assert post(call, item("A", None), item("C", ""), item("NONE", None)).json["values"] == [item("B", "")]
    kept = post(call, item("D", "4"), query="?merge=false")
    assert kept.json["values"] == [item("D", "4")]


@pytest.mark.parametrize("values", [[item("A", "1")], [item("NONE", None)], [item("NONE", None, "new")]])
def test_a_change_of_nothing_is_a_conflict(call: Calls, values: list[dict[str, Any]]) -> None:
    post(call, item("A", "1"))
    answer = post(call, *values)
    assert (answer.status_code, answer.json) == (409, {"detail": "shop changed nothing - release stopped"})
    assert len(call("GET", RELEASES).json["results"]) == 2


def test_groups_reach_whom_they_are_attached_to(call: Calls) -> None:
    post(call, item("URL", "x", "queue"))
    assert call("GET", CONFIG).json["values_refs"] == {}
    assert post(call, worker=["queue"]).json["values_refs"] == {"worker": ["queue"]}
    assert post(call, web=["queue"], clock=["queue"]).json["values_refs"]["clock"] == ["queue"]
    assert post(call, clock=[]).json["values_refs"] == {"web": ["queue"], "worker": ["queue"]}
    again = post(call, clock=[])
    assert (again.status_code, again.json) == (422, {"detail": "clock does not exist under values_refs"})
    kept = call("DELETE", CONFIG, {"values_refs": {"web": []}})
    assert (kept.status_code, kept.json) == (409, {"detail": "shop changed nothing - release stopped"})
    gone = call("DELETE", CONFIG, {"values_refs": {"web": ["queue"]}})
    assert (gone.status_code, gone.json["values_refs"]) == (200, {"worker": ["queue"]})
    assert post(call, worker=["queue"]).status_code == 409
    assert set(run_all(call)) == {State.SUCCEEDED}
    assert call.world.apps.apps["shop"].by_type == {"web": {}, "worker": {"URL": "x"}}


def test_credentials_are_for_all_until_somebody_is_detached(call: Calls) -> None:
    call.world.bound()
    assert call("GET", CONFIG).json["values_refs"] == {"web": ["addon_my_db"], "worker": ["addon_my_db"]}
    assert post(call, worker=["addon_my_db"]).status_code == 409
    call("DELETE", CONFIG, {"values_refs": {"worker": ["addon_my_db"]}})
    assert call("GET", CONFIG).json["values_refs"] == {"web": ["addon_my_db"]}
    touched = post(call, item("MY_DB_URI", "x", "addon_my_db"))
    assert touched.status_code == 400
    assert touched.json["detail"].startswith("config group addon_my_db belongs to a resource")
    assert post(call, item("MY_DB_URI", "x")).status_code == 400


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"values": {}},
        {"values": [{"name": "A", "value": "canary"}]},
        {"values": [{"name": "A", "value": 1, "group": "g"}]},
        {"values": [{"name": "A", "group": "g"}]},
        {"values": [{"name": 1, "value": "canary", "group": "g"}]},
        {"values": [{"name": "A", "value": "canary", "group": "g", "ptype": "web"}]},
        {"values": [{"name": "A", "value": "canary", "group": "ptype:web"}]},
        {"values": [{"name": "A", "value": "canary", "other": "g"}]},
        {"values": ["canary"]},
        {"values_refs": ["web"]},
        {"values_refs": {"web": "queue"}},
        {"values_refs": {"web": [1]}},
        {"values_refs": {"web": ["none"]}},
        {"values_refs": {"web": ["global"]}},
        {"values": [{"name": "A", "value": "1", "group": "g"}], "values_refs": {"two words": ["g"]}},
        {"values": [{"name": "a-b", "value": "canary", "group": "g"}]},
    ],
)
def test_what_cannot_be_is_refused_without_a_value(call: Calls, body: dict[str, Any]) -> None:
    answer = call("POST", CONFIG, body)
    assert answer.status_code == 400
    assert "canary" not in answer.text
    assert all(one.version == 1 for one in call.world.apps.releases("shop"))


def test_a_change_that_breaks_the_app_is_undone(call: Calls) -> None:
    post(call, item("MY_DB_PORT", "666"))
    assert run_all(call) == [State.FAILED]
    shown = [(one["version"], one["state"]) for one in call("GET", RELEASES).json["results"]]
    assert shown == [(3, "succeed"), (2, "crashed"), (1, "succeed")]
    assert call("GET", CONFIG).json["values"] == []


def test_what_is_refused_is_not_watched(call: Calls) -> None:
    def refuse(method: str, _app: str) -> None:
        if method == "change_config":
            raise CannotRelease("no")

    call.world.apps.before = refuse
    assert post(call, item("A", "1")).status_code == 400
    with call.world.store.reading() as conn:
        states = conn.exec_driver_sql("SELECT state, description FROM operations WHERE kind = 'release'").all()
    assert [tuple(row) for row in states] == [("cancelled", "there was nothing to release")]


def test_a_lost_answer_is_watched_nevertheless(call: Calls) -> None:
    def lose(method: str, _app: str) -> None:
        if method == "change_config":
            raise AppsUnavailable("the cluster does not answer")

    call.world.apps.after = lose
    assert post(call, item("A", "1")).status_code == 503
    call.world.apps.after = lambda _method, _app: None
    assert run_all(call) == [State.SUCCEEDED]
    assert call.world.environment() == {"A": "1"}


def test_one_release_and_what_is_other_in_it(call: Calls) -> None:
    post(call, item("A", "canary-1"))
    post(call, item("A", "canary-2"), item("B", "canary-3"))
    answer = call("GET", f"{RELEASES}v3/", who="viewer")
    assert answer.json["changes"] == [
        "A of config group global has another value",
        "B of config group global is new",
    ]
    assert "canary" not in answer.text
    since = call("GET", f"{RELEASES}3/?since=v1").json["changes"]
    assert since == ["A of config group global is new", "B of config group global is new"]
    assert (answer.json["drift"], answer.json["variables"]) == ([], {"global": ["A", "B"]})
    none = call("GET", f"{RELEASES}v9/")
    assert (none.status_code, none.json) == (404, "No Release matches the given query.")
    assert call("GET", f"{RELEASES}nine/").status_code == 400
    assert call("GET", f"{RELEASES}v3/?since=v9").status_code == 400


def test_where_a_controller_has_the_config(call: Calls) -> None:
    """Then `apps` is no ReleaseManager."""
    post(call, item("A", "1"))
    apps = SimpleNamespace(release=call.world.apps.release)
    client = served(replace(call.api, apps=lambda: cast("AppReleases", apps))).test_client()
    headers = {"Authorization": f"token {call.tokens['admin']}"}
    for path in (CONFIG, "/v2/apps/shop/builds/"):
        answer = client.get(path, headers=headers)
        assert (answer.status_code, answer.json) == (404, "Builds and config of this app are with its controller.")
    shown = client.get(f"{RELEASES}v2/", headers=headers)
    assert (shown.status_code, "changes" in (shown.json or {})) == (200, False)


def test_ids(call: Calls) -> None:
    made = post(call, item("A", "1")).json["uuid"]
    assert made == call("GET", CONFIG).json["uuid"]
    release = call("GET", RELEASES).json["results"][0]
    assert len({release["uuid"], release["build"], release["config"]}) == 3
    assert re.fullmatch(UUID, made)
