"""What holds for every route: who may, which headers, JSON errors, limits."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from helmbroker.controller_bridge.api.app import ROUTES, Route, paths
from helmbroker.controller_bridge.model import Role
from helmbroker.controller_bridge.sealing import Sealer
from helmbroker.sealing import Keys
from tests.api.bridge.calls import Calls
from tests.fakes.kms import FakeKms

HEADERS = {"DRYCC_API_VERSION": "2.3", "DRYCC_PLATFORM_VERSION": "2.3.0"}
WHO = {"viewer": Role.VIEWER, "member": Role.MEMBER}
OPEN = {"/healthz", "/readyz", "/metrics", "/v2/hooks/deploy/"}  # metrics have a token of their own


def path_of(rule: str, app: str = "shop") -> str:
    rule = rule.replace("<app:app>", app).replace("<name:name>", "my-db")
    return re.sub(r"<\w+>", "x", rule)


EVERY_PATH = [Route(route.method, path, route.view, route.role) for route in ROUTES for path in paths(route)]
GUARDED = [route for route in EVERY_PATH if route.path not in OPEN]
OF_APPS = [route for route in EVERY_PATH if "<app:app>" in route.path]


@pytest.mark.parametrize("route", EVERY_PATH, ids=lambda route: f"{route.method} {route.path}")
@pytest.mark.parametrize("who", ["admin", None])
def test_every_answer_carries_the_versions(call: Calls, route: Route, who: str | None) -> None:
    answer = call(route.method, path_of(route.path), who=who)
    assert {name: answer.headers[name] for name in HEADERS} == HEADERS
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("route", GUARDED, ids=lambda route: f"{route.method} {route.path}")
def test_nobody_gets_in_without_a_token(call: Calls, route: Route) -> None:
    answer = call(route.method, path_of(route.path), who=None)
    assert answer.status_code == 401
    assert answer.json == {"detail": "Authentication credentials were not provided."}
    assert answer.headers["WWW-Authenticate"] == "token"


@pytest.mark.parametrize("route", OF_APPS, ids=lambda route: f"{route.method} {route.path}")
def test_nobody_gets_into_the_apps_of_others(call: Calls, route: Route) -> None:
    call.world.bound()
    before = call.world.observe()
    answer = call(route.method, path_of(route.path), {"bind_action": "unbind"}, who="stranger")
    assert answer.status_code == 403
    assert answer.json == {"detail": "You do not have permission to perform this action."}
    assert call.world.observe() == before


@pytest.mark.parametrize("route", OF_APPS, ids=lambda route: f"{route.method} {route.path}")
@pytest.mark.parametrize("who", ["viewer", "member"])
def test_roles(call: Calls, route: Route, who: str) -> None:
    answer = call(route.method, path_of(route.path), who=who)
    allowed = WHO[who] >= route.role
    assert (answer.status_code != 403) is allowed


def test_the_roles_are_those_of_the_controller() -> None:
    roles = {
        "GET": Role.VIEWER,
        "POST": Role.MEMBER,
        "PUT": Role.MEMBER,
        "PATCH": Role.MEMBER,
        "DELETE": Role.ADMIN,
    }
    assert all(route.role is roles[route.method] for route in OF_APPS)


@pytest.mark.parametrize("header", ["token {}", "Token {}", "TOKEN  {}", "Bearer {}"])
def test_keywords(call: Calls, header: str) -> None:
    headers = {"Authorization": header.format(call.tokens["viewer"])}
    assert call.client.get("/v2/resources/services/", headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("header", "detail", "reason"),
    [
        ("token nope", "Invalid token.", "unknown token"),
        ("token \udcff", "Invalid token.", "unknown token"),
        ("", "Authentication credentials were not provided.", "no credentials"),
        ("token", "Authentication credentials were not provided.", "credentials of a kind that is not taken"),
        ("Basic nope", "Authentication credentials were not provided.", "credentials of a kind that is not taken"),
    ],
)
def test_bad_tokens(call: Calls, caplog: pytest.LogCaptureFixture, header: str, detail: str, reason: str) -> None:
    answer = call.client.get("/v2/resources/services/", environ_overrides={"HTTP_AUTHORIZATION": header})
    assert (answer.status_code, answer.json) == (401, {"detail": detail})
    (line,) = [vars(record) for record in caplog.records if record.getMessage() == "login refused"]
    assert (line["reason"], line["path"], line["address"]) == (reason, "/v2/resources/services/", "127.0.0.1")
    assert "nope" not in repr(line)


def test_the_login_probe(call: Calls) -> None:
    assert call("GET", "/v2/", who=None).status_code == 401


@pytest.mark.parametrize(
    "path", ["/v2/none", "/v2/apps/Shop/resources/", "/v2/apps/shop/resources/a_b/", "/v2//apps/"]
)
def test_unknown_paths(call: Calls, path: str) -> None:
    assert call("GET", path, who=None).status_code == 401
    answer = call("GET", path)
    assert (answer.status_code, answer.json) == (404, {"detail": "Not found."})


def test_wrong_methods(call: Calls) -> None:
    answer = call("POST", "/v2/resources/services/")
    assert (answer.status_code, answer.json) == (405, {"detail": "Method not allowed."})
    assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}


def test_big_bodies(call: Calls) -> None:
    answer = call("POST", "/v2/apps/shop/resources/", {"name": "x" * 300_000})
    assert (answer.status_code, answer.json) == (413, {"detail": "The request body is too large."})


@pytest.mark.parametrize("body", [b"{", b"\xff", b"[" * 100_000])
def test_bodies_that_are_no_json(call: Calls, body: bytes) -> None:
    headers = {"Authorization": f"token {call.tokens['admin']}"}
    answer = call.client.post("/v2/apps/shop/resources/", data=body, headers=headers)
    assert answer.status_code == 400
    assert str((answer.json or {})["detail"]).startswith("JSON parse error")


def test_an_unexpected_error_says_nothing(call: Calls) -> None:
    def explode(_method: str) -> None:
        raise RuntimeError("canary")

    call.world.broker.before = explode
    answer = call("GET", "/v2/resources/services/")
    assert (answer.status_code, answer.json) == (500, {"detail": "Server Error"})
    assert answer.headers["DRYCC_API_VERSION"] == "2.3"


def test_health(call: Calls) -> None:
    assert call("GET", "/healthz", who=None).json == {"status": "ok"}
    assert call("GET", "/readyz", who=None).json == {"status": "ok", "workers": "none"}


def test_who_is_being_stopped_is_not_ready_and_serves_on(call: Calls) -> None:
    call.api.leaving.set()
    answer = call("GET", "/readyz", who=None)
    assert (answer.status_code, answer.json) == (
        503,
        {"status": "This process is being stopped; send requests to another one."},
    )
    assert call("GET", "/healthz", who=None).status_code == 200
    assert call("GET", "/v2/resources/services/").status_code == 200


def test_not_ready_without_a_database(call: Calls) -> None:
    with call.world.store.writing() as conn:
        conn.exec_driver_sql("ALTER TABLE workers RENAME TO elsewhere")
    answer = call("GET", "/readyz", who=None)
    assert (answer.status_code, answer.json) == (503, {"detail": "The database does not answer. Try again."})
    assert call("GET", "/healthz", who=None).status_code == 200
    with call.world.store.writing() as conn:
        conn.exec_driver_sql("ALTER TABLE elsewhere RENAME TO workers")


def test_an_unusable_tokens_file(call: Calls) -> None:
    call.tokens_file.unlink()
    answer = call("GET", "/v2/resources/services/")
    assert answer.status_code == 503
    assert "/" not in answer.json["detail"]


def test_keys_that_are_away_are_told(tmp_path: Path) -> None:
    kms = FakeKms("1")
    call = Calls(tmp_path, Sealer(Keys(kms)))
    kms.away = True
    new = {"name": "my-db", "plan": "postgresql:small", "options": {"password": "canary-7f3a"}}
    answer = call("POST", "/v2/apps/shop/resources/", new)
    assert (answer.status_code, answer.json) == (503, {"detail": "the key service does not answer"})
    assert call("GET", "/v2/apps/shop/resources/").json["count"] == 0
