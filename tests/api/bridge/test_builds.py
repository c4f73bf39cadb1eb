"""Builds of an app without a controller, in the controller's dialect."""

from __future__ import annotations

from typing import Any

import pytest

from helmbroker.durable import State
from tests.api.bridge.calls import Calls

BUILDS = "/v2/apps/shop/builds/"


@pytest.fixture
def call(call: Calls) -> Calls:
    call.world.apps.add_app("shop", {"web": "shop:1", "worker": "shop:1"})
    return call


def build(call: Calls, **body: Any) -> Any:
    return call("POST", BUILDS, body, who="member")


def finish(call: Calls) -> State:
    return call.world.run(call.world.apps.releases("shop")[0].key).state


def test_one_image_for_all(call: Calls) -> None:
    made = build(call, image="shop:2", stack="container", sha="", procfile={}, dryccfile={})
    assert made.status_code == 201
    assert (made.json["image"], made.json["images"]) == ("shop:2", {"web": "shop:2", "worker": "shop:2"})
    release = call("GET", "/v2/apps/shop/releases/").json["results"][0]
    assert (release["build"], release["summary"]) == (made.json["uuid"], "alice deployed shop:2")
    assert finish(call) is State.SUCCEEDED
    assert call.world.apps.apps["shop"].images == {"web": "shop:2", "worker": "shop:2"}


def test_several_images(call: Calls) -> None:
    made = build(call, images={"worker": "tools:3"})
    assert (made.status_code, made.json["image"], made.json["images"]["worker"]) == (201, "shop:1", "tools:3")
    again = build(call, images={"worker": "tools:3"})
    assert (again.status_code, again.json) == (409, {"detail": "shop changed nothing - release stopped"})


def test_a_build_that_does_not_run_is_left_again(call: Calls) -> None:
    build(call, image="missing:1")
    assert finish(call) is State.FAILED
    assert call.world.apps.apps["shop"].images == {"web": "shop:1", "worker": "shop:1"}


def test_the_builds_are_the_releases_that_brought_one(call: Calls) -> None:
    build(call, image="shop:2")
    call("POST", "/v2/apps/shop/config/", {"values": [{"name": "A", "value": "1", "group": "global"}]})
    build(call, images={"web": "shop:3"})
    answer = call("GET", BUILDS, who="viewer").json
    assert ([one["image"] for one in answer["results"]], answer["count"]) == (["shop:3", "shop:2", "shop:1"], 3)


def test_an_app_that_was_never_released_has_no_build(call: Calls) -> None:
    assert call("GET", BUILDS).json["results"] == []


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "image"),
        ({"image": 1}, "image"),
        ({"image": "shop:2", "images": {"web": "shop:2"}}, "image"),
        ({"images": {}}, "image"),
        ({"images": {"web": 1}}, "images"),
        ({"image": "shop:2", "procfile": {"web": "./run"}}, "procfile"),
        ({"image": "shop:2", "dryccfile": {"pipeline": {}}}, "dryccfile"),
        ({"images": {"clock": "shop:2"}}, "detail"),
        ({"image": "two words"}, "detail"),
    ],
)
def test_what_cannot_be(call: Calls, body: dict[str, Any], field: str) -> None:
    answer = build(call, **body)
    assert (answer.status_code, list(answer.json)) == (400, [field])
    assert all(one.version == 1 for one in call.world.apps.releases("shop"))
