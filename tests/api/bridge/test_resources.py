"""Resources over REST: golden JSON of each endpoint, states as clients see them."""

from __future__ import annotations

import base64
import re
from typing import Any

import pytest

from helmbroker.controller_bridge.broker_port import Unreachable
from tests.api.bridge.calls import UUID, Calls

RESOURCES = "/v2/apps/shop/resources/"
DB = f"{RESOURCES}my-db/"
MOMENT = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
NEW = {"name": "my-db", "plan": "postgresql:small"}
GOLDEN: dict[str, Any] = {
    "app": "shop",
    "app_id": "shop",
    "workspace_id": None,
    "owner": "root",
    "name": "my-db",
    "plan": "postgresql:small",
    "broker": None,
    "shared_from": None,
    "data": {},
    "status": "Provisioning",
    "binding": None,
    "options": {},
    "env": {},
    "rotate_every_s": None,
    "rotate_at": None,
}
SEEN = {"failed": False, "options_shown": False, "shared_with": []}
SHOWN = {**SEEN, "options_shown": True}


def plain(resource: dict[str, Any]) -> dict[str, Any]:
    """Without what differs from run to run, after a look at its form."""
    rest = dict(resource)
    assert re.fullmatch(UUID, rest.pop("uuid"))
    assert re.fullmatch(MOMENT, rest.pop("created"))
    assert re.fullmatch(MOMENT, rest.pop("updated"))
    return rest


def work(call: Calls) -> None:
    """Run everything that waits."""
    while call.world.hand.turn():
        pass


def test_a_whole_life(call: Calls) -> None:
    answer = call("POST", RESOURCES, NEW)
    assert (answer.status_code, plain(answer.json)) == (201, GOLDEN)
    listed = call("GET", RESOURCES).json
    assert (listed["count"], listed["next"], listed["previous"]) == (1, None, None)
    assert plain(listed["results"][0]) == GOLDEN
    assert plain(call("GET", DB).json) == {**GOLDEN, **SEEN, "message": "waiting for its turn"}

    work(call)
    ready = {**GOLDEN, "status": "Ready", "broker": "default"}
    assert plain(call("GET", DB).json) == {**ready, **SHOWN, "message": "The instance was provisioned successfully"}

    bound = call("PATCH", f"{DB}binding/", {"bind_action": "BIND"})
    assert (bound.status_code, plain(bound.json)) == (200, {**ready, "binding": "Binding"})
    work(call)
    shown = call("GET", DB).json
    uri = f"postgres://u:{call.world.resource().binding_id}@db:5432/app"
    assert plain(shown) == {
        **ready,
        **SHOWN,
        "binding": "Ready",
        "data": {"MY_DB_PORT": "5432", "MY_DB_URI": uri},
        "message": "The credentials are live in the app with release v2",
    }
    assert call("GET", RESOURCES).json["results"][0]["data"] == {}
    assert call("DELETE", DB).json == {"detail": "the resource instance is still binding"}

    unbound = call("PATCH", f"{DB}binding", {"bind_action": "unbind"})
    assert (unbound.status_code, plain(unbound.json)) == (200, {**ready, "binding": "Unbinding"})
    work(call)
    assert plain(call("GET", DB).json) == {**ready, **SHOWN, "message": "The binding is gone"}

    gone = call("DELETE", DB)
    assert (gone.status_code, gone.data) == (204, b"")
    assert call("GET", DB).json["status"] == "Deprovisioning"
    work(call)
    missing = call("GET", DB)
    assert (missing.status_code, missing.json) == (404, "No Resource matches the given query.")
    assert call("GET", RESOURCES).json["count"] == 0


def test_a_bind_may_say_what_its_variables_are_called(call: Calls) -> None:
    call.world.created()
    env = {"prefix": "DB_", "rename": {"uri": "DATABASE_URL"}, "only": ["port", "uri"]}
    bound = call("PATCH", f"{DB}binding/", {"bind_action": "bind", "env": env})
    assert (bound.status_code, bound.json["env"]) == (200, env)
    work(call)
    assert set(call("GET", DB).json["data"]) == {"DB_PORT", "DATABASE_URL"}


def test_a_mapping_that_cannot_be_is_refused_at_once(call: Calls) -> None:
    call.world.created()
    answer = call("PATCH", f"{DB}binding/", {"bind_action": "bind", "env": {"suffix": "X"}})
    assert (answer.status_code, answer.json) == (
        400,
        {"env": ["there is no suffix; it takes prefix, rename and only"]},
    )
    assert call.world.resource().binding_id is None


def test_options_come_from_the_broker(call: Calls) -> None:
    options = {"replicas": "2", "storage.size": "2Gi", "backup": "true"}
    assert call("POST", RESOURCES, {**NEW, "options": options}).json["options"] == {}
    work(call)
    assert call("GET", DB).json["options"] == {"replicas": "2", "storage.size": "2Gi", "backup": "true"}


def test_a_values_file(call: Calls) -> None:
    raw = base64.b64encode(b"replicas: 2\n").decode()
    assert call("POST", RESOURCES, {**NEW, "options": {"rawValues": raw}}).status_code == 201
    work(call)
    assert call.world.broker.instances[call.world.resource().instance_id].parameters == {"replicas": 2}


def test_a_failure_is_told(call: Calls) -> None:
    call.world.broker.fails["provision"] = "quota exceeded"
    call("POST", RESOURCES, NEW)
    work(call)
    shown = call("GET", DB).json
    assert (shown["status"], shown["message"]) == ("Failed", "quota exceeded")
    assert call("DELETE", DB).status_code == 204


def test_credentials_that_cannot_be_shown(call: Calls) -> None:
    call.world.bound()

    def silent(_method: str) -> None:
        raise Unreachable("the broker at b does not answer")

    call.world.broker.before = silent
    shown = call("GET", DB)
    assert (shown.status_code, shown.json["data"], shown.json["options"]) == (200, {}, {})
    assert shown.json["message"].endswith("(the credentials cannot be shown: the broker at b does not answer)")


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        ({}, {"name": ["This field is required."], "plan": ["This field is required."]}),
        (
            {**NEW, "name": "My_db"},
            {"name": ["name can only supports: a-z (lowercase), 0-9 and single hyphens between them"]},
        ),
        ({**NEW, "name": "ab"}, {"name": ["Ensure this field has at least 3 characters."]}),
        ({**NEW, "plan": "p" * 129}, {"plan": ["Ensure this field has no more than 128 characters."]}),
        ({**NEW, "plan": "a\x00b"}, {"plan": ["Not a valid string."]}),
        ({**NEW, "plan": "a\ud800"}, {"plan": ["Not a valid string."]}),
        ({**NEW, "plan": 3}, {"plan": ["This field is required."]}),
        ({**NEW, "options": [1]}, {"options": ['Expected a dictionary of items but got type "list".']}),
        ({**NEW, "options": {"rawValues": "*"}}, {"options": ["rawValues has to be a YAML file in base64"]}),
        ([1], {"non_field_errors": ["Invalid data. Expected a dictionary, but got list."]}),
    ],
)
def test_bad_bodies(call: Calls, body: object, answer: object) -> None:
    got = call("POST", RESOURCES, body)
    assert (got.status_code, got.json) == (400, answer)
    assert call("GET", RESOURCES).json["count"] == 0


def test_the_app_of_the_path_counts(call: Calls) -> None:
    hidden = {"app": "blog", "status": "Ready", "binding": "Ready", "data": {"x": "y"}, "owner": "mallory"}
    assert plain(call("POST", RESOURCES, {**NEW, **hidden}).json) == GOLDEN


def test_a_plan_is_everything_after_the_first_colon(call: Calls) -> None:
    assert call("POST", RESOURCES, {**NEW, "plan": "pg:a:b"}).json["plan"] == "pg:a:b"
    resource = call.world.resource()
    assert (resource.service, resource.plan) == ("pg", "a:b")


def test_names_are_unique_in_their_app(call: Calls) -> None:
    call("POST", RESOURCES, NEW)
    again = call("POST", RESOURCES, NEW)
    assert (again.status_code, again.json) == (
        400,
        {"non_field_errors": ["The fields app, name must make a unique set."]},
    )
    assert call("POST", "/v2/apps/blog/resources/", NEW).status_code == 201


def test_newest_first_and_in_pages(call: Calls) -> None:
    for name in ("one", "two", "three"):
        call("POST", RESOURCES, {**NEW, "name": name})
    first = call("GET", f"{RESOURCES}?limit=2").json
    assert [resource["name"] for resource in first["results"]] == ["three", "two"]
    assert first["count"] == 3
    assert first["next"] == f"http://localhost{RESOURCES}?limit=2&offset=2"
    second = call("GET", first["next"]).json
    assert [resource["name"] for resource in second["results"]] == ["one"]
    assert (second["next"], second["previous"]) == (None, f"http://localhost{RESOURCES}?limit=2")


@pytest.mark.parametrize(
    "query", ["limit=x", "limit=0", "limit=-1", "offset=x", "limit=99999999999999999999", "limit=²"]
)
def test_what_is_no_number_is_ignored(call: Calls, query: str) -> None:
    call("POST", RESOURCES, NEW)
    assert call("GET", f"{RESOURCES}?{query}").json["count"] == 1


@pytest.mark.parametrize("body", [{}, {"bind_action": "rebind"}, {"bind_action": None}])
def test_unknown_actions(call: Calls, body: object) -> None:
    call("POST", RESOURCES, NEW)
    answer = call("PATCH", f"{DB}binding/", body)
    assert (answer.status_code, answer.json) == (404, "unknown action")


def test_states_that_refuse(call: Calls) -> None:
    call("POST", RESOURCES, NEW)
    bind, unbind = {"bind_action": "bind"}, {"bind_action": "unbind"}
    early = call("PATCH", f"{DB}binding/", bind)
    assert (early.status_code, early.json) == (400, {"detail": "the resource instance is not ready"})
    deleted = call("DELETE", DB)
    assert (deleted.status_code, deleted.json) == (400, {"detail": "the resource instance is provisioning"})
    work(call)
    unbound = call("PATCH", f"{DB}binding/", unbind)
    assert (unbound.status_code, unbound.json) == (400, {"detail": "the resource instance is not binding"})
    call("PATCH", f"{DB}binding/", bind)
    again = call("PATCH", f"{DB}binding/", bind)
    assert (again.status_code, again.json) == (409, {"detail": "Resource my-db is binding"})
    work(call)
    bound = call("PATCH", f"{DB}binding/", bind)
    assert (bound.status_code, bound.json) == (400, {"detail": "the resource instance is binding"})


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_unknown_resources(call: Calls, method: str) -> None:
    answer = call(method, f"{RESOURCES}none/")
    assert (answer.status_code, answer.json) == (404, "No Resource matches the given query.")
