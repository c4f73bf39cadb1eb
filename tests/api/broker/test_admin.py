"""/admin and /metrics: who may look, and what is shown. Nothing secret is."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate
from werkzeug.test import TestResponse

from helmbroker.broker.api.admin import Admin
from helmbroker.broker.api.auth import logins
from helmbroker.broker.api.auth.admin import Admins
from helmbroker.broker.api.auth.basic import BasicUsers
from helmbroker.broker.api.auth.bearer import BearerTokens
from helmbroker.broker.api.auth.chain import Authentication
from helmbroker.broker.domain.drift import Finding, FindingKind
from helmbroker.broker.domain.operation import Phase
from helmbroker.broker.operations.progress import TABLES
from helmbroker.broker.operator_wiring import make_admin
from helmbroker.broker.store.schema import metadata, operations
from helmbroker.catalog.model import Catalog
from helmbroker.database import now
from tests.api.broker.desk import BINDING, INSTANCE, LOGIN, USER, Desk, refusal

PATHS = (
    "/admin/operations",
    "/admin/workers",
    "/admin/findings",
    "/admin/catalog",
    "/admin/instances/i1",
    "/admin/openapi.yaml",
    "/metrics",
)
DOCUMENT = Path(__file__).parents[3] / "helmbroker" / "broker" / "api" / "admin.yaml"


@cache
def document() -> dict[str, Any]:
    made: dict[str, Any] = yaml.load(DOCUMENT.read_text(), yaml.CSafeLoader)
    return made


class Office:
    """The desk, and an admin beside it."""

    def __init__(self, desk: Desk, token: str) -> None:
        self.desk, self.token = desk, token

    def get(self, path: str, token: str | None = None) -> TestResponse:
        return self.desk.client.get(path, headers={"Authorization": f"Bearer {token or self.token}"})

    def post(self, path: str, body: Any = None, token: str | None = None) -> TestResponse:
        headers = {"Authorization": f"Bearer {token or self.token}"}
        return self.desk.client.post(path, headers=headers, **({} if body is None else {"json": body}))

    def json(self, path: str) -> dict[str, Any]:
        answer = self.get(path)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.get_json()
        return found

    def latest(self) -> dict[str, Any]:
        found: dict[str, Any] = self.json("/admin/operations?limit=1")["operations"][0]
        return found


@pytest.fixture
def office(data: Path, catalog: Catalog) -> Iterator[Office]:
    token = logins.add(data / "admins", "alice")

    def admin(desk: Desk) -> Admin:
        users = BasicUsers([logins.LoginFile(desk.folder / "platform-credentials", logins.plain)])
        admins, watchers = (
            BearerTokens(logins.LoginFile(desk.folder / name, logins.hashed)) for name in ("admins", "watchers")
        )
        found = Admins(admins, watchers, Authentication([users]))
        return make_admin(desk.store, found, desk.service, lambda: catalog, desk.revisions, bytes)

    desk = Desk(data, catalog, admin=admin)
    yield Office(desk, token)
    desk.store.close()


@pytest.mark.parametrize("path", [*PATHS, "/admin/operations/x", "/admin", "/admin/nothing"])
def test_strangers_and_platforms_see_nothing(office: Office, path: str) -> None:
    """Not even whether there is such a path."""
    stranger = office.desk.client.get(path)
    assert refusal(stranger) == (401, "Unauthorized")
    assert stranger.headers["WWW-Authenticate"] == 'Bearer realm="helmbroker"'
    assert refusal(office.desk.client.get(path, headers={"Authorization": LOGIN})) == (403, "Forbidden")
    assert refusal(office.get(path, token="wrong")) == (401, "Unauthorized")


def test_an_admin_is_no_platform(office: Office) -> None:
    headers = {"Authorization": f"Bearer {office.token}", "X-Broker-API-Version": "2.17"}
    assert office.desk.client.get("/v2/catalog", headers=headers).status_code == 401
    assert office.desk.client.get("/openapi.yaml", headers=headers).status_code == 401


POSTS = tuple(re.sub(r"\{\w+\}", "i1", path) for path, methods in document()["paths"].items() if "post" in methods)


def test_a_watcher_looks(office: Office) -> None:
    office.desk.begin((INSTANCE, Phase.READY))
    watcher = logins.add(office.desk.folder / "watchers", "prometheus")
    assert [office.get(path, watcher).status_code for path in PATHS] == [200] * len(PATHS)


@pytest.mark.parametrize("path", POSTS)
def test_a_watcher_changes_nothing(office: Office, path: str, caplog: pytest.LogCaptureFixture) -> None:
    """Whoever may scrape may not have Helm releases removed, and the log says who has tried it."""
    caplog.set_level(logging.INFO)
    watcher = logins.add(office.desk.folder / "watchers", "prometheus")
    answer = office.post(path, {}, watcher)
    assert refusal(answer) == (403, "Forbidden")
    assert "may only look" in answer.get_json()["description"]
    (line,) = [vars(record) for record in caplog.records if record.getMessage() == "change requested"]
    assert (line["caller"], line["status"]) == ("prometheus", 403)


def test_a_watcher_is_no_platform(office: Office) -> None:
    watcher = logins.add(office.desk.folder / "watchers", "prometheus")
    headers = {"Authorization": f"Bearer {watcher}", "X-Broker-API-Version": "2.17"}
    assert office.desk.client.get("/v2/catalog", headers=headers).status_code == 401


def test_without_admins_nobody_sees_anything(office: Office) -> None:
    (office.desk.folder / "admins").unlink()
    assert [office.get(path).status_code for path in PATHS] == [401] * len(PATHS)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_it_only_reads(office: Office, method: str) -> None:
    headers = {"Authorization": f"Bearer {office.token}"}
    answers = [office.desk.client.open(path, method=method, headers=headers) for path in PATHS]
    assert [answer.status_code for answer in answers] == [405] * len(PATHS)


def test_an_operation_from_its_beginning_to_its_end(office: Office) -> None:
    desk = office.desk
    operation_id = desk.put().get_json()["operation"]
    waiting = office.json(f"/admin/operations/{operation_id}")
    assert {name: waiting[name] for name in ("kind", "instance_id", "binding_id", "state", "step", "owner")} == {
        "kind": "provision",
        "instance_id": "i1",
        "binding_id": None,
        "state": "queued",
        "step": None,
        "owner": None,
    }
    assert waiting["due_in_s"] == 0.0
    ctx = desk.hand.claim()
    assert ctx is not None
    first, second = (step.name for step in TABLES["provision"][:2])
    ctx.save(first, None)
    ctx.note("installing")
    runs = office.latest()
    steps = len(TABLES["provision"])
    assert runs["step"] == {"name": second, "number": 2, "of": steps, "way_back": False}
    assert (runs["steps_done"], runs["attempt"], runs["attempts"]) == ([first], 1, 8)
    assert runs["description"] == f"installing (step 2 of {steps}: {second})"
    assert runs["owner"]
    assert runs["lease_left_s"] > 0
    assert runs["cancel_requested"] is False
    desk.delete()
    assert office.json(f"/admin/operations/{operation_id}")["cancel_requested"] is True
    desk.hand.worker.perform(ctx)
    over = office.json(f"/admin/operations/{operation_id}")
    assert (over["step"], over["owner"], over["lease_left_s"], over["due_in_s"]) == (None, None, None, None)
    assert over["finished_at"] is not None


def test_a_lease_that_is_over_is_seen(office: Office) -> None:
    """Its worker is gone, and nobody has taken it over."""
    office.desk.put()
    assert office.desk.hand.claim() is not None
    with office.desk.store.engine.begin() as conn:
        conn.execute(operations.update().values(lease_until=now(conn) - 30))
    assert -32 < office.latest()["lease_left_s"] < -29
    assert "helmbroker_operations_leases_expired 1.0" in office.get("/metrics").text


def test_the_history_of_an_instance(office: Office) -> None:
    office.desk.begin((INSTANCE, Phase.READY), (BINDING, Phase.READY))
    found = office.json("/admin/instances/i1")
    assert (found["phase"], found["release"][:3]) == ("ready", "hb-")
    assert [each["binding"] for each in found["bindings"]] == ["b1"]
    assert [each["kind"] for each in found["operations"]] == ["bind", "provision"]
    assert refusal(office.get("/admin/instances/unknown")) == (404, "NotFound")
    assert refusal(office.get("/admin/operations/unknown")) == (404, "NotFound")


@pytest.mark.parametrize(
    ("query", "kinds"),
    [
        ("", ["bind", "provision"]),
        ("state=succeeded", ["provision"]),
        ("state=queued&state=succeeded", ["bind", "provision"]),
        ("kind=bind", ["bind"]),
        ("instance_id=i1&limit=1", ["bind"]),
        ("instance_id=i2", []),
    ],
)
def test_some_operations(office: Office, query: str, kinds: list[str]) -> None:
    office.desk.begin((INSTANCE, Phase.READY), (BINDING, Phase.MAKING))
    found = office.json(f"/admin/operations?{query}")["operations"]
    assert [each["kind"] for each in found] == kinds


@pytest.mark.parametrize("query", ["state=busy", "limit=0", "limit=x", "limit=1001", "limit=-1", "limit=٣"])
def test_questions_that_make_no_sense(office: Office, query: str) -> None:
    assert refusal(office.get(f"/admin/operations?{query}")) == (400, "BadRequest")


def test_workers(office: Office) -> None:
    table = metadata.tables["workers"]
    with office.desk.store.engine.begin() as conn:
        moment = now(conn)
        for owner, age_s in (("h:1:a", 3), ("h:2:b", 45)):
            conn.execute(
                table.insert().values(owner=owner, host="h", started_at=moment - 99, seen_at=moment - age_s)
            )
    found = office.json("/admin/workers")["workers"]
    assert [(each["owner"], each["lives"]) for each in found] == [("h:1:a", True), ("h:2:b", False)]
    assert found[0]["seen_s_ago"] == pytest.approx(3, abs=1)
    assert "helmbroker_workers 1.0" in office.get("/metrics").text


def test_metrics(office: Office) -> None:
    office.desk.begin((INSTANCE, Phase.READY), (BINDING, Phase.MAKING))
    with office.desk.store.engine.begin() as conn:
        late = operations.update().where(operations.c.kind == "bind")
        conn.execute(late.values(created_at=now(conn) - 100, attempt=2))
    answer = office.get("/metrics")
    assert answer.mimetype == "text/plain"
    told = dict(line.rsplit(" ", 1) for line in answer.text.splitlines() if not line.startswith("#"))
    assert told['helmbroker_operations{kind="provision",state="succeeded"}'] == "1.0"
    assert told['helmbroker_operations{kind="bind",state="queued"}'] == "1.0"
    assert float(told["helmbroker_operations_oldest_queued_seconds"]) == pytest.approx(100, abs=5)
    assert told["helmbroker_operations_retrying"] == "1.0"
    assert told['helmbroker_instances{phase="ready",plan="small",service="demo"}'] == "1.0"
    assert told['helmbroker_bindings{phase="making",plan="small",service="demo"}'] == "1.0"


def test_findings(office: Office) -> None:
    with office.desk.store.transaction() as tx:
        tx.replace_findings([Finding(FindingKind.LOST, "i1", "It is gone. Repair it.", "i1")])
    (found,) = office.json("/admin/findings")["findings"]
    assert (found["kind"], found["subject"], found["instance_id"]) == ("lost", "i1", "i1")
    assert found["detail"] == "It is gone. Repair it."
    told = office.get("/metrics").text
    assert 'helmbroker_findings{kind="lost"} 1.0' in told
    assert 'helmbroker_findings{kind="orphan"} 0.0' in told


def test_schedules_are_told_apart(office: Office) -> None:
    """They are queued for ever: nothing is wrong with their age."""
    with office.desk.store.engine.begin() as conn:
        office.desk.store.queue.enqueue(
            conn, id="schedule:tidy", kind="tidy", subject="schedule:tidy", params={}, timeout_s=9
        )
        tidy = operations.update().where(operations.c.kind == "tidy")
        conn.execute(tidy.values(run_at=now(conn) + 50, created_at=now(conn) - 5000))
    office.desk.put()
    assert [each["kind"] for each in office.json("/admin/operations?state=queued")["operations"]] == ["provision"]
    assert [each["kind"] for each in office.json("/admin/operations?kind=tidy")["operations"]] == ["tidy"]
    told = dict(line.rsplit(" ", 1) for line in office.get("/metrics").text.splitlines() if line[0] != "#")
    assert 'helmbroker_operations{kind="tidy",state="queued"}' not in told
    assert float(told["helmbroker_operations_oldest_queued_seconds"]) < 60
    assert [name for name in told if name.startswith("helmbroker_schedule")] == [
        'helmbroker_schedule_due_seconds{kind="tidy"}'
    ]
    assert float(told['helmbroker_schedule_due_seconds{kind="tidy"}']) == pytest.approx(50, abs=5)


def test_nothing_secret_is_shown(office: Office) -> None:
    office.desk.begin((INSTANCE, Phase.READY), (BINDING, Phase.READY))
    office.desk.patch(parameters={"admin": {"password": "canary-update-51f0"}})
    operation_id = office.latest()["id"]
    told = "".join(office.get(path).text for path in [*PATHS, f"/admin/operations/{operation_id}"])
    assert "canary-" not in told
    assert USER[1] not in told
    assert office.token not in told


def test_an_outage_is_told(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(office.desk.store, "_reader", office.desk.store.engine.execution_options())
    office.desk.store.close()
    (office.desk.folder / "helmbroker.db").rename(office.desk.folder / "gone.db")
    (office.desk.folder / "helmbroker.db").mkdir()
    assert refusal(office.get("/admin/operations")) == (503, "Unavailable")
    assert refusal(office.get("/metrics")) == (503, "Unavailable")


def test_the_document_is_valid_and_served(office: Office) -> None:
    validate(document())
    answer = office.get("/admin/openapi.yaml")
    assert (answer.status_code, answer.mimetype) == (200, "application/yaml")
    assert answer.data == DOCUMENT.read_bytes()


def test_the_document_lists_the_routes(office: Office) -> None:
    rules = {rule.rule for rule in office.desk.client.application.url_map.iter_rules()}
    served = {
        rule.replace("<osb:", "{").replace(">", "}") for rule in rules if rule.startswith(("/admin", "/metrics"))
    }
    assert served == set(document()["paths"])


def test_answers_are_as_the_document_says(office: Office) -> None:
    office.desk.begin((INSTANCE, Phase.READY), (BINDING, Phase.MAKING))
    assert office.desk.hand.claim() is not None
    test_findings(office)
    operation = office.latest()
    for path, name in (
        ("/admin/operations", "/admin/operations"),
        (f"/admin/operations/{operation['id']}", "/admin/operations/{operation_id}"),
        ("/admin/instances/i1", "/admin/instances/{instance_id}"),
        ("/admin/workers", "/admin/workers"),
        ("/admin/findings", "/admin/findings"),
    ):
        content = document()["paths"][name]["get"]["responses"]["200"]["content"]["application/json"]
        schema = {**content["schema"], "components": document()["components"]}
        body = json.loads(office.get(path).data)
        assert [each.message for each in Draft202012Validator(schema).iter_errors(body)] == []
