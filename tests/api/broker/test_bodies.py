"""Bodies and queries: whatever a client sends, it is told 400 and why, never 5xx (OSB items 6-8, 20)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.api.broker.desk import ASYNC, BIND, BINDING, IDS, INSTANCE, PROVISION, Desk, refusal

WRONG_VALUES: list[Any] = [True, 1, 1.5, "text", [], [1], {"x": 1}]
# field -> what its JSON type is; every other type is refused
PROVISION_FIELDS: dict[str, type] = {
    "service_id": str,
    "plan_id": str,
    "organization_guid": str,
    "space_guid": str,
    "parameters": dict,
    "context": dict,
    "maintenance_info": dict,
}
BIND_FIELDS: dict[str, type] = {
    "service_id": str,
    "plan_id": str,
    "app_guid": str,
    "parameters": dict,
    "context": dict,
    "bind_resource": dict,
}


def wrong_types() -> list[object]:
    return [
        pytest.param(path, body, field, value, id=f"{name}.{field}={json.dumps(value)}")
        for name, path, body, fields in (
            ("provision", INSTANCE, PROVISION, PROVISION_FIELDS),
            ("bind", BINDING, BIND, BIND_FIELDS),
        )
        for field, right in fields.items()
        for value in WRONG_VALUES
        if not isinstance(value, right)
    ]


@pytest.mark.osb(8)
@pytest.mark.bug(58)
@pytest.mark.parametrize(("path", "usual", "field", "value"), wrong_types())
def test_a_field_of_another_type_is_told_by_its_name(
    broker: Desk, path: str, usual: dict[str, Any], field: str, value: Any
) -> None:
    """The type of every field, objects too."""
    response = broker.put(path, {**usual, field: value})
    assert refusal(response) == (400, "BadRequest")
    wanted = "a string" if (PROVISION_FIELDS | BIND_FIELDS)[field] is str else "an object"
    assert response.get_json()["description"] == f"{field}: must be {wanted}"


@pytest.mark.osb(8, 41, 98)
@pytest.mark.parametrize(
    ("path", "usual", "field"),
    [(INSTANCE, PROVISION, field) for field in ("service_id", "plan_id", "organization_guid", "space_guid")]
    + [(BINDING, BIND, field) for field in ("service_id", "plan_id")],
)
def test_a_mandatory_field_that_is_missing_null_or_empty_is_told(
    broker: Desk, path: str, usual: dict[str, Any], field: str
) -> None:
    without = {name: value for name, value in usual.items() if name != field}
    for body in (without, {**usual, field: None}, {**usual, field: ""}):
        response = broker.put(path, body)
        assert refusal(response) == (400, "BadRequest")
        assert response.get_json()["description"].startswith(f"{field}: ")


@pytest.mark.osb(41, 58)
def test_a_context_is_no_substitute_for_a_field(broker: Desk) -> None:
    context = {"platform": "cloudfoundry", "organization_guid": "org", "space_guid": "space"}
    body = {name: PROVISION[name] for name in ("service_id", "plan_id")}
    response = broker.put(body={**body, "context": context})
    assert refusal(response) == (400, "BadRequest")
    told = response.get_json()["description"]
    assert [part.partition(":")[0] for part in told.split("; ")] == ["organization_guid", "space_guid"]


def test_all_that_is_wrong_is_told_at_once(broker: Desk) -> None:
    description = broker.put(body={"parameters": []}).get_json()["description"]
    assert [part.partition(":")[0] for part in description.split("; ")] == [
        "service_id",
        "plan_id",
        "organization_guid",
        "space_guid",
        "parameters",
    ]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("maintenance_info", {}),
        ("maintenance_info", {"version": 1}),
        ("maintenance_info", {"version": ""}),
        ("organization_guid", "x" * 256),
        ("organization_guid", "a\x00b"),
        ("space_guid", "\x7f"),
        ("service_id", [PROVISION["service_id"]]),
    ],
    ids=str,
)
def test_a_value_that_cannot_be_one_is_told(broker: Desk, field: str, value: Any) -> None:
    response = broker.put(**{field: value})
    assert refusal(response) == (400, "BadRequest")
    assert response.get_json()["description"].startswith(field)


@pytest.mark.parametrize("value", [{"app_guid": 1}, {"app_guid": ["x"]}, {"app_guid": "x" * 256}], ids=str)
def test_the_app_of_a_bind_resource_is_checked(ready: Desk, value: Any) -> None:
    response = ready.put(BINDING, bind_resource=value)
    assert refusal(response) == (400, "BadRequest")
    assert response.get_json()["description"].startswith("bind_resource.app_guid: ")


@pytest.mark.osb(6, 49)
def test_null_and_empty_optional_fields_are_absent_ones(ready: Desk) -> None:
    """Korifi sends `"parameters": null` and `"app_guid": ""`."""
    sparse = {key: PROVISION[key] for key in ("service_id", "plan_id", "organization_guid", "space_guid")}
    nulls = dict.fromkeys(("parameters", "context", "maintenance_info"))
    new = "/v2/service_instances/sparse"
    assert ready.put(new, sparse).get_json() == ready.put(new, {**sparse, **nulls, "parameters": {}}).get_json()
    assert ready.put(new, {**sparse, **nulls}).status_code == 202
    ids = {key: BIND[key] for key in ("service_id", "plan_id")}
    first = ready.put(BINDING, ids).get_json()
    for more in ({"app_guid": ""}, {"app_guid": None, "parameters": None}, {"bind_resource": {"app_guid": ""}}):
        assert ready.put(BINDING, {**ids, **more}).get_json() == first


@pytest.mark.osb(101)
def test_the_app_may_stand_in_either_place(ready: Desk) -> None:
    """The older field and the newer one mean the same."""
    ids = {key: BIND[key] for key in ("service_id", "plan_id")}
    first = ready.put(BINDING, {**ids, "app_guid": "a"}).get_json()
    assert ready.put(BINDING, {**ids, "bind_resource": {"app_guid": "a"}}).get_json() == first
    assert ready.put(BINDING, {**ids, "bind_resource": {"app_guid": "b"}}).status_code == 409


@pytest.mark.osb(6)
def test_unknown_fields_are_ignored_anywhere(ready: Desk) -> None:
    """A field called `self` upset a predecessor."""
    more = {"self": 1, "x": {"y": []}, "maintenance_info": None}
    assert ready.put("/v2/service_instances/i1", {**PROVISION, **more}).status_code == 200
    assert ready.put(BINDING, {**BIND, **more, "bind_resource": {"route": "x"}}).status_code == 202


@pytest.mark.osb(57, 58)
@pytest.mark.bug(70)
@pytest.mark.parametrize(
    "context",
    [
        {},
        {"platform": "cloudfoundry", "organization_guid": "o", "space_name": "s"},
        {"platform": "kubernetes", "namespace": "n", "clusterid": "c", "instance_name": "i", "x": [1, None]},
    ],
    ids=["none", "Cloud Foundry", "Kubernetes"],
)
def test_every_context_is_taken(desk: Desk, context: dict[str, Any]) -> None:
    assert desk.put(context=context).status_code == 202


NO_OBJECTS: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "is not valid JSON: Expecting value (line 1, column 1)."),
    "cut off": (b'{"a":', "is not valid JSON: Expecting value (line 1, column 6)."),
    "null": (b"null", "must be a JSON object."),
    "a list": (b"[]", "must be a JSON object."),
    "a text": (b'"x"', "must be a JSON object."),
    "no UTF-8": (b'{"a":"\xff"}', "is not valid JSON: a number or a text in it cannot be represented."),
    "NaN": (b'{"parameters":{"a":NaN}}', "is not valid JSON: a number"),
    "Infinity": (b'{"parameters":{"a":-Infinity}}', "is not valid JSON: a number"),
    "a huge number": (b'{"parameters":{"a":1e999}}', "is not valid JSON: a number"),
    "a number of many digits": (b'{"a":' + b"1" * 5000 + b"}", "is not valid JSON: a number"),
    "half a character": (b'{"parameters":{"a":"\\ud800"}}', "is not valid JSON: a number or a text"),
    "deep": (b'{"a":' * 40 + b"1" + b"}" * 40, "is nested more than 32 deep."),
    "deeper than the stack": (b'{"a":' * 100_000, "is nested more than 32 deep."),
    "a form": (b"a=b", "is not valid JSON"),
}


@pytest.mark.osb(8)
@pytest.mark.parametrize(("body", "message"), NO_OBJECTS.values(), ids=NO_OBJECTS)
@pytest.mark.parametrize("path", [INSTANCE, BINDING], ids=["provision", "bind"])
def test_what_is_no_json_object_is_told(broker: Desk, path: str, body: bytes, message: str) -> None:
    response = broker.call("PUT", f"{path}{ASYNC}", body)
    assert refusal(response) == (400, "BadRequest")
    assert message in response.get_json()["description"]


@pytest.mark.osb(7)
@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/json", 202),
        ("application/json; charset=utf-8", 202),
        ("APPLICATION/JSON", 202),
        ("", 202),
        ("text/plain", 400),
        ("application/x-www-form-urlencoded", 400),
        ("multipart/form-data; boundary=x", 400),
    ],
)
def test_a_body_is_json_or_says_nothing_of_its_type(desk: Desk, content_type: str, status: int) -> None:
    headers = {"Content-Type": content_type or None}
    body = json.dumps(PROVISION).encode()
    assert desk.call("PUT", f"{INSTANCE}{ASYNC}", body, headers).status_code == status


FLAGS = [("true", 202), ("false", 422), ("", 400), ("True", 400), ("1", 400), ("yes", 400), ("banana", 400)]


@pytest.mark.osb(20)
@pytest.mark.parametrize(("flag", "status"), FLAGS)
def test_accepts_incomplete_is_true_or_false(ready: Desk, flag: str, status: int) -> None:
    query = f"?accepts_incomplete={flag}"
    assert ready.call("PUT", f"/v2/service_instances/new{query}", PROVISION).status_code == status
    assert ready.call("PUT", f"{BINDING}{query}", BIND).status_code == status
    assert ready.call("DELETE", f"{INSTANCE}{query}&{IDS}").status_code == status


@pytest.mark.osb(12, 45, 80)
def test_what_cannot_be_done_at_once_asks_for_asynchronous_clients(ready: Desk) -> None:
    """The description is compared byte for byte; nothing is begun."""
    calls = [
        ready.call("PUT", "/v2/service_instances/new", PROVISION),
        ready.call("DELETE", f"{INSTANCE}?{IDS}"),
    ]
    text = "This service plan requires client support for asynchronous service operations."
    assert [response.get_json() for response in calls] == [{"error": "AsyncRequired", "description": text}] * 2
    assert not ready.hand.turn()


@pytest.mark.osb(79, 112)
@pytest.mark.parametrize("path", [INSTANCE, BINDING], ids=["deprovision", "unbind"])
@pytest.mark.parametrize(
    ("query", "missing"),
    [
        ("", "service_id, plan_id"),
        ("service_id=x", "plan_id"),
        ("plan_id=x", "service_id"),
        ("service_id=&plan_id=", "service_id, plan_id"),
    ],
)
def test_a_delete_without_its_ids_is_told(ready: Desk, path: str, query: str, missing: str) -> None:
    ready.put(BINDING)
    response = ready.call("DELETE", f"{path}{ASYNC}&{query}")
    assert refusal(response) == (400, "BadRequest")
    assert response.get_json()["description"] == f"Missing in the query: {missing}."


@pytest.mark.osb(79)
def test_a_delete_may_bring_its_ids_in_the_body(ready: Desk) -> None:
    """Older versions of Korifi."""
    body = {"service_id": PROVISION["service_id"], "plan_id": PROVISION["plan_id"]}
    assert refusal(ready.call("DELETE", f"{INSTANCE}{ASYNC}", {"service_id": "x", "plan_id": 1})) == (
        400,
        "BadRequest",
    )
    assert ready.call("DELETE", f"{INSTANCE}{ASYNC}", body).status_code == 202


@pytest.mark.osb(28, 79)
@pytest.mark.bug(68)
def test_a_delete_does_not_compare_its_ids(ready: Desk) -> None:
    """The platform may know an older plan."""
    assert ready.call("DELETE", f"{INSTANCE}{ASYNC}&service_id=x&plan_id=y").status_code == 202


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.osb(117)
@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.dictionaries(st.sampled_from([*PROVISION_FIELDS, *BIND_FIELDS, "x"]), JSON, max_size=5))
def test_no_body_breaks_the_broker(desk: Desk, change: dict[str, Any]) -> None:
    """Never 5xx for a bad request."""
    for path, usual in ((INSTANCE, PROVISION), (BINDING, BIND)):
        response = desk.call("PUT", f"{path}{ASYNC}", json.dumps({**usual, **change}).encode())
        assert response.status_code in {200, 202, 400, 404, 409, 422}
