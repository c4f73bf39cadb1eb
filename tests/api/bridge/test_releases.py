"""App releases over REST, and going back to one."""

from __future__ import annotations

import re

import pytest

from helmbroker.controller_bridge.apps.port import AppsUnavailable
from tests.api.bridge.calls import UUID, Calls

RELEASES = "/v2/apps/shop/releases/"


def test_newest_first_with_names_of_variables_only(call: Calls) -> None:
    call.world.bound()
    answer = call("GET", RELEASES)
    shown = answer.json
    for release in shown["results"]:
        assert all(re.fullmatch(UUID, release.pop(name)) for name in ("uuid", "config", "build"))
    assert shown == {
        "count": 2,
        "next": None,
        "previous": None,
        "results": [
            {
                "app": "shop",
                "version": 2,
                "state": "succeed",
                "failed": False,
                "summary": "bind my-db (postgresql:small)",
                "exception": None,
                "owner": "alice",
                "deployed_ptypes": ["web"],
                "images": {"web": "shop:1"},
                "variables": {"addon_my_db": ["MY_DB_PORT", "MY_DB_URI"]},
                "drift": [],
                "created": "2026-01-02T03:04:05Z",
                "updated": "2026-01-02T03:04:05Z",
            },
            {
                "app": "shop",
                "version": 1,
                "state": "succeed",
                "failed": False,
                "summary": "adopted",
                "exception": None,
                "owner": "helmbroker-bridge",
                "deployed_ptypes": ["web"],
                "images": {"web": "shop:1"},
                "variables": {},
                "drift": [],
                "created": "2026-01-02T03:04:05Z",
                "updated": "2026-01-02T03:04:05Z",
            },
        ],
    }
    assert "postgres://" not in answer.text


def test_pages(call: Calls) -> None:
    call.world.bound()
    page = call("GET", f"{RELEASES}?limit=1&offset=1").json
    assert [release["version"] for release in page["results"]] == [1]
    assert (page["count"], page["next"]) == (2, None)


@pytest.mark.parametrize("version", [1, "1", "v1"])
def test_going_back(call: Calls, version: object) -> None:
    call.world.bound()
    begun = call("POST", f"{RELEASES}rollback/", {"version": version}, who="member")
    assert begun.status_code == 201
    operation = begun.json["operation"]
    assert re.fullmatch(UUID, operation)
    assert begun.json == {
        "version": None,
        "operation": operation,
        "state": "queued",
        "description": "waiting for its turn",
    }
    call.world.run(operation)
    followed = call("GET", f"{RELEASES}rollback/{operation}/", who="viewer")
    assert followed.json == {
        "version": 3,
        "operation": operation,
        "state": "succeeded",
        "description": "The app runs release v3",
    }


@pytest.mark.parametrize("version", [None, "x", 0, -1, 1.5, [1], True, "v", "1\N{FULLWIDTH DIGIT ONE}"])
def test_what_is_no_version(call: Calls, version: object) -> None:
    answer = call("POST", f"{RELEASES}rollback/", {"version": version})
    assert (answer.status_code, answer.json) == (400, {"version": ["A valid integer is required."]})


def test_where_nobody_can_go_back_to(call: Calls) -> None:
    call.world.created()
    call.world.broker.credentials_of = lambda _binding: {"port": 666}
    call.world.run(call.world.service.bind("shop", "my-db", "alice").binding_operation)
    failed = call("POST", f"{RELEASES}rollback/", {"version": 2})
    assert (failed.status_code, failed.json) == (400, {"detail": "Cannot roll back to failed release."})
    crashed = call("GET", RELEASES).json["results"][1]
    assert (crashed["state"], crashed["failed"]) == ("crashed", True)
    assert "container web ended with exit code 3" in crashed["exception"]
    none = call("POST", f"{RELEASES}rollback/", {"version": 9})
    assert (none.status_code, none.json) == (400, {"detail": "There is no release v9 of shop."})


def test_without_an_app(call: Calls) -> None:
    answer = call("GET", "/v2/apps/none/releases/")
    assert (answer.status_code, answer.json) == (404, {"detail": "there is no app none"})


def test_without_a_cluster(call: Calls) -> None:
    def away(_method: str, _app: str) -> None:
        raise AppsUnavailable("the cluster does not answer")

    call.world.apps.before = away
    answer = call("GET", RELEASES)
    assert (answer.status_code, answer.json) == (503, {"detail": "the cluster does not answer"})
    assert "Retry-After" not in answer.headers


def test_who_asks_for_too_much_is_told_when_to_ask_again(call: Calls) -> None:
    def busy(_method: str, _app: str) -> None:
        raise AppsUnavailable("the requests that are allowed in a minute are used up for 12 s", after_s=11.2)

    call.world.apps.before = busy
    answer = call("GET", f"{RELEASES}v1/")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "12")


def test_only_rollbacks_of_this_app_can_be_followed(call: Calls) -> None:
    resource = call.world.bound()
    call.world.apps.add_app("blog")
    operation = call("POST", f"{RELEASES}rollback/", {"version": 1}).json["operation"]
    for path in (
        f"/v2/apps/blog/releases/rollback/{operation}/",
        f"{RELEASES}rollback/{resource.binding_operation}/",
        f"{RELEASES}rollback/none/",
    ):
        answer = call("GET", path)
        assert (answer.status_code, answer.json) == (404, "No Rollback matches the given query.")
