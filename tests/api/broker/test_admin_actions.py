"""/admin: what the broker has, what happened, what is wrong; operations cancelled, begun again, and purges."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from werkzeug.test import TestResponse

from helmbroker.broker.domain.drift import Finding, FindingKind
from helmbroker.broker.domain.operation import Phase
from tests.api.broker.desk import BINDING, INSTANCE, LOGIN, refusal
from tests.api.broker.test_admin import Office, document, office

__all__ = ["office"]


def checked(answer: TestResponse, method: str, path: str) -> Any:
    """The body, which is as the document says."""
    found = document()["paths"][path][method]["responses"][str(answer.status_code)]
    schema = {**found["content"]["application/json"]["schema"], "components": document()["components"]}
    body = answer.get_json()
    assert [each.message for each in Draft202012Validator(schema).iter_errors(body)] == []
    return body


def test_what_the_broker_has(office: Office) -> None:
    other = INSTANCE.replace("i1", "i2")
    office.desk.begin((INSTANCE, Phase.READY), (BINDING, Phase.READY), (other, Phase.MAKE_FAILED))

    def ids(query: str) -> list[tuple[str, str | None]]:
        rows = checked(office.get(f"/admin/instances?{query}"), "get", "/admin/instances")["records"]
        return [(row["instance"], row.get("binding")) for row in rows]

    assert ids("") == [("i1", None), ("i1", "b1"), ("i2", None)]
    assert ids("limit=1") == [("i1", None), ("i1", "b1")]
    assert ids("limit=1&after=i1") == [("i2", None)]
    assert ids("phase=make+failed") == [("i2", None)]
    assert ids("service_id=unknown") == []
    assert refusal(office.get("/admin/instances?limit=0")) == (400, "BadRequest")


def test_what_happened(office: Office) -> None:
    office.desk.put()
    office.desk.put(INSTANCE.replace("i1", "i2"))
    found = checked(office.get("/admin/events?instance_id=i1"), "get", "/admin/events")["events"]
    assert [(each["action"], each["outcome"], each["actor"]) for each in found] == [
        ("provision", "accepted", "platform:platform")
    ]
    assert [each["instance_id"] for each in office.json("/admin/events?limit=1")["events"]] == ["i2"]
    assert "canary-" not in office.get("/admin/events").text


def test_what_is_wrong(office: Office) -> None:
    with office.desk.store.transaction() as tx:
        tx.replace_findings([Finding(FindingKind.LOST, "instance i1", "It is gone. Repair it.", "i1")])
    found = checked(office.get("/admin/doctor"), "get", "/admin/doctor")["symptoms"]
    assert [(each["kind"], each["instance_id"]) for each in found] == [("workers", None), ("lost", "i1")]


def test_an_operation_is_cancelled(office: Office) -> None:
    operation_id = office.desk.put().get_json()["operation"]
    path = f"/admin/operations/{operation_id}/cancel"
    body = checked(office.post(path), "post", "/admin/operations/{operation_id}/cancel")
    assert (body["state"], body["description"]) == ("cancelled", "stopped by an operator")
    assert office.desk.get(f"{INSTANCE}/last_operation").get_json()["state"] == "failed"
    assert refusal(office.post(path)) == (409, "Conflict")
    assert refusal(office.post("/admin/operations/unknown/cancel")) == (404, "NotFound")
    told = [(each["action"], each["outcome"], each["actor"]) for each in office.json("/admin/events")["events"]]
    assert told[-1] == ("provision", "cancelled", "operator:alice")


@pytest.mark.parametrize("phase", [Phase.UPDATING, Phase.REMOVING])
def test_what_cannot_be_cancelled(office: Office, phase: Phase) -> None:
    """Neither would be left in a state that anybody could tell."""
    office.desk.begin((INSTANCE, phase))
    answer = office.post(f"/admin/operations/{office.latest()['id']}/cancel")
    assert refusal(answer) == (409, "Conflict")
    assert "cannot be cancelled" in answer.get_json()["description"]
    assert office.latest()["state"] == "queued"


@pytest.mark.parametrize(
    ("phase", "kind"), [(Phase.MAKE_FAILED, "provision"), (Phase.REMOVE_FAILED, "deprovision")]
)
def test_an_instance_is_begun_again(office: Office, phase: Phase, kind: str) -> None:
    office.desk.begin((INSTANCE, phase))
    body = checked(office.post("/admin/instances/i1/retry"), "post", "/admin/instances/{instance_id}/retry")
    assert (body["kind"], body["state"]) == (kind, "queued")
    office.desk.work()
    assert office.json("/admin/instances/i1")["phase"] in ("ready", "gone")


@pytest.mark.parametrize(("phase", "kind"), [(Phase.MAKE_FAILED, "bind"), (Phase.REMOVE_FAILED, "unbind")])
def test_a_binding_is_begun_again(office: Office, phase: Phase, kind: str) -> None:
    office.desk.begin((INSTANCE, Phase.READY), (BINDING, phase))
    path = "/admin/instances/{instance_id}/bindings/{binding_id}/retry"
    body = checked(office.post("/admin/instances/i1/bindings/b1/retry"), "post", path)
    assert (body["kind"], body["binding_id"], body["state"]) == (kind, "b1", "queued")


@pytest.mark.parametrize("phase", [Phase.MAKING, Phase.READY, Phase.REMOVING, Phase.GONE])
def test_nothing_of_it_has_failed(office: Office, phase: Phase) -> None:
    office.desk.begin((INSTANCE, phase))
    assert refusal(office.post("/admin/instances/i1/retry")) == (409, "Conflict")


def test_what_has_no_record_is_not_retried(office: Office) -> None:
    office.desk.begin((INSTANCE, Phase.READY))
    for path in ("/admin/instances/unknown/retry", "/admin/instances/i1/bindings/unknown/retry"):
        assert refusal(office.post(path)) == (404, "NotFound")


def test_a_purge(office: Office) -> None:
    office.desk.begin((INSTANCE, Phase.READY))
    where = office.json("/admin/instances/i1")
    asked = {"namespace": where["namespace"], "release": where["release"]}
    assert refusal(office.post("/admin/purges", asked)) == (409, "Conflict")
    for wrong in ({"release": "x"}, {**asked, "release": "../x"}, {**asked, "release": "a..b"}):
        assert refusal(office.post("/admin/purges", wrong)) == (400, "BadRequest")
    # what was migrated keeps its name
    for orphan in ("hb-orphan", "redis.of-before"):
        body = checked(office.post("/admin/purges", {**asked, "release": orphan}), "post", "/admin/purges")
        assert (body["kind"], body["state"]) == ("purge", "queued")


def test_what_an_operator_has_done_is_written_down(office: Office, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    begun = office.post("/admin/purges", {"namespace": "n", "release": "hb-orphan"}).get_json()["id"]
    office.post("/admin/retired", {"service": "demo"})
    office.post("/admin/purges", {"namespace": "n"})
    lines = [vars(record) for record in caplog.records if record.getMessage() == "change requested"]
    said = ("method", "path", "status", "caller", "operation")
    assert [tuple(map(line.get, said)) for line in lines] == [
        ("POST", "/admin/purges", 202, "alice", begun),
        ("POST", "/admin/retired", 200, "alice", None),
        ("POST", "/admin/purges", 400, "alice", None),
    ]


def test_a_plan_is_retired_and_offered_again(office: Office) -> None:
    body = checked(office.post("/admin/retired", {"service": "demo", "plan": "small"}), "post", "/admin/retired")
    assert [(each["service"], each["plan"]) for each in body["retired"]] == [("demo", "small")]
    assert office.json("/admin/retired") == body
    assert refusal(office.post("/admin/retired", {"service": "unknown"})) == (400, "BadRequest")
    undone = office.post("/admin/retired", {"service": "demo", "plan": "small", "undo": True})
    assert undone.get_json() == {"retired": []}
    told = [(each["action"], each["outcome"]) for each in office.json("/admin/events")["events"]]
    assert told[-2:] == [("retire", "done"), ("offer again", "done")]


@pytest.mark.parametrize(
    "path",
    [
        "/admin/purges",
        "/admin/instances/i1/retry",
        "/admin/operations/x/cancel",
        "/admin/instances/i/bindings/b/retry",
    ],
)
def test_it_is_for_operators(office: Office, path: str) -> None:
    assert office.desk.client.post(path).status_code == 401
    assert office.desk.client.post(path, headers={"Authorization": LOGIN}).status_code == 403
