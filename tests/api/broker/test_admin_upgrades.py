"""/admin/upgrades: chart upgrades of running instances, over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from werkzeug.test import TestResponse

from helmbroker.broker.api.admin import Admin
from helmbroker.broker.api.auth import logins
from helmbroker.broker.api.auth.admin import Admins
from helmbroker.broker.api.auth.bearer import BearerTokens
from helmbroker.broker.api.auth.chain import Authentication
from helmbroker.broker.domain.operation import Phase
from helmbroker.broker.operator_wiring import make_admin
from helmbroker.broker.store.schema import operations
from helmbroker.catalog.load import load
from helmbroker.catalog.model import Catalog
from helmbroker.database import now
from tests.api.broker.desk import INSTANCE, LOGIN, Desk, refusal
from tests.api.broker.test_admin import Office, document
from tests.unit.catalog.folders import ADDON_ID, FILES, write

PATH = "/admin/upgrades"


@pytest.fixture
def office(data: Path, catalog: Catalog, tmp_path: Path) -> Iterator[Office]:
    """Instance i1 runs 1.2.3, and 2.0.0 is offered."""
    write(tmp_path / "newer/demo", {"addon.yaml": FILES["addon.yaml"].replace("1.2.3", "2.0.0")})
    newer = load([tmp_path / "newer"])
    token = logins.add(data / "admins", "alice")
    before = Desk(data, catalog)
    before.begin((INSTANCE, Phase.READY))
    before.store.keep(newer)
    before.store.close()

    def admin(desk: Desk) -> Admin:
        tokens = BearerTokens(logins.LoginFile(desk.folder / "admins", logins.hashed))
        found = Admins(tokens, tokens, Authentication([]))
        return make_admin(desk.store, found, desk.service, lambda: newer, desk.revisions, bytes)

    desk = Desk(data, newer, admin=admin)
    yield Office(desk, token)
    desk.store.close()


def checked(answer: TestResponse, method: str, path: str = PATH) -> Any:
    """The body, which is as the document says."""
    found = document()["paths"][path][method]["responses"][str(answer.status_code)]
    if "$ref" in found:
        found = document()["components"]["responses"][found["$ref"].rpartition("/")[2]]
    schema = {**found["content"]["application/json"]["schema"], "components": document()["components"]}
    body = answer.get_json()
    assert [each.message for each in Draft202012Validator(schema).iter_errors(body)] == []
    return body


def test_a_dry_run_tells_and_does_nothing(office: Office) -> None:
    answer = office.post(PATH, {"service": "demo", "dry_run": True})
    body = checked(answer, "post")
    assert (answer.status_code, body["service_id"], body["version"]) == (200, ADDON_ID, "2.0.0")
    assert body["instances"] == [
        {
            "instance_id": "i1",
            "plan": "small",
            "version": "1.2.3",
            "to": "2.0.0",
            "phase": "ready",
            "left_out": None,
        }
    ]
    assert office.json(PATH) == {"upgrades": []}


def test_a_run_is_begun_looked_at_stopped_and_resumed(office: Office) -> None:
    asked = {"plan": "small", "canary": 1, "wave": "50%", "stop_on_failure": True}
    answer = office.post(PATH, asked)
    begun = checked(answer, "post")
    assert (answer.status_code, begun["state"], begun["counts"]) == (202, "queued", {"waiting": 1})
    assert (begun["canary"], begun["wave"], begun["stop_on_failure"], begun["contract"]) == (1, 1, True, True)
    one = f"{PATH}/{begun['id']}"
    assert checked(office.get(one), "get", f"{PATH}/{{run_id}}") == begun
    summary = {name: begun[name] for name in begun if name != "instances"}
    assert checked(office.get(PATH), "get") == {"upgrades": [summary]}
    assert refusal(office.post(PATH, asked)) == (409, "Conflict")
    assert refusal(office.post(f"{one}/resume")) == (409, "Conflict")
    stopped = checked(office.post(f"{one}/stop"), "post", f"{PATH}/{{run_id}}/stop")
    assert stopped["state"] == "cancelled"
    assert refusal(office.post(f"{one}/stop")) == (409, "Conflict")
    resumed = checked(office.post(f"{one}/resume"), "post", f"{PATH}/{{run_id}}/resume")
    assert (resumed["state"], resumed["resumes"]) == ("queued", begun["id"])
    assert [each["instance_id"] for each in resumed["instances"]] == ["i1"]
    told = [(each.event.action, each.event.outcome, each.actor.name) for each in office.desk.store.entries()]
    assert told[-3:] == [
        ("fleet", "accepted", "operator:alice"),
        ("fleet", "cancelled", "operator:alice"),
        ("fleet", "accepted", "operator:alice"),
    ]


def test_a_run_that_takes_long_is_no_old_operation(office: Office) -> None:
    """It waits for its updates, which are told by themselves."""
    office.post(PATH, {"service": "demo"})
    with office.desk.store.engine.begin() as conn:
        conn.execute(operations.update().where(operations.c.kind == "fleet").values(created_at=now(conn) - 9000))
    told = dict(line.rsplit(" ", 1) for line in office.get("/metrics").text.splitlines() if line[0] != "#")
    assert told['helmbroker_operations{kind="fleet",state="queued"}'] == "1.0"
    assert float(told["helmbroker_operations_oldest_queued_seconds"]) < 60


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({}, "Name a service, or a plan, or both."),
        ({"service": "x"}, "There is no service x in the catalog; there are demo."),
        ({"service": 1}, "service: must be a string"),
        ({"service": "demo", "canary": "x"}, "canary must be a number of instances from 1"),
        ({"service": "demo", "wave": 1.5}, "wave."),
        ({"service": "demo", "dry_run": "yes"}, "dry_run: must be true or false"),
    ],
)
def test_what_cannot_be_meant(office: Office, body: dict[str, Any], says: str) -> None:
    answer = office.post(PATH, body)
    assert refusal(answer) == (400, "BadRequest")
    assert answer.get_json()["description"].startswith(says)


def test_what_is_not_there(office: Office) -> None:
    for answer in (office.get(f"{PATH}/x"), office.post(f"{PATH}/x/stop"), office.post(f"{PATH}/x/resume")):
        assert refusal(answer) == (404, "NotFound")


@pytest.mark.parametrize(("method", "path"), [("GET", PATH), ("POST", PATH), ("POST", f"{PATH}/x/stop")])
def test_it_is_for_operators(office: Office, method: str, path: str) -> None:
    assert office.desk.client.open(path, method=method).status_code == 401
    headers = {"Authorization": LOGIN}
    assert office.desk.client.open(path, method=method, headers=headers).status_code in (401, 403)
