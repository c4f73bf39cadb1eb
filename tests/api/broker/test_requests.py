"""What holds for every request: login first, version, identities, JSON always, nothing but what the routes say."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from helmbroker.broker.api.bodies import MAX_BODY_BYTES
from helmbroker.catalog.model import Catalog
from tests.api.broker.desk import ASYNC, BINDING, IDS, INSTANCE, LOGIN, PROVISION, Desk, refusal

ROUTES = [
    ("GET", "/v2/catalog"),
    ("PUT", INSTANCE),
    ("GET", INSTANCE),
    ("DELETE", INSTANCE),
    ("GET", f"{INSTANCE}/last_operation"),
    ("PUT", BINDING),
    ("GET", BINDING),
    ("DELETE", BINDING),
    ("GET", f"{BINDING}/last_operation"),
]
each_route = pytest.mark.parametrize(("method", "path"), ROUTES)


def basic(text: str) -> str:
    return f"Basic {base64.b64encode(text.encode()).decode()}"


LOGINS: dict[str, str | None] = {
    "none": None,
    "another password": basic("platform:x"),
    "another user": basic("x:canary-password-7c21"),
    "no password": basic("platform"),
    "the password cut": basic("platform:canary-password-7c2"),
    "bearer": LOGIN.replace("Basic", "Bearer"),
    "no base64": "Basic !!!",
    "no ascii": "Basic \xff\xfe",
    "bearer, no ascii": "Bearer \xff\xfe",
    "no text": f"Basic {base64.b64encode(bytes([255, 254])).decode()}",
    "empty": "",
    "beyond ASCII": basic("platförm:ü"),
}


@pytest.mark.osb(1)
@pytest.mark.parametrize("login", LOGINS.values(), ids=LOGINS)
def test_who_cannot_log_in_learns_nothing(broker: Desk, login: str | None) -> None:
    response = broker.call("GET", "/v2/catalog", headers={"Authorization": login})
    assert refusal(response) == (401, "Unauthorized")
    assert response.headers["WWW-Authenticate"] == 'Basic realm="helmbroker", charset="UTF-8"'


@pytest.mark.osb(1)
@pytest.mark.parametrize(
    ("method", "path"), [*ROUTES, ("GET", "/nothing"), ("POST", INSTANCE), ("GET", "/v2/service_instances/%00")]
)
def test_login_comes_before_anything_else(broker: Desk, method: str, path: str) -> None:
    """On every endpoint, whatever else is wrong."""
    wrong = {"Authorization": None, "X-Broker-API-Version": "abc", "X-Broker-API-Originating-Identity": "x"}
    assert refusal(broker.call(method, path, b"[" * MAX_BODY_BYTES * 2, wrong)) == (401, "Unauthorized")


VERSIONS: list[tuple[str | None, tuple[int, str]]] = [
    (None, (400, "BadRequest")),
    ("", (400, "BadRequest")),
    ("abc", (400, "BadRequest")),
    ("2", (400, "BadRequest")),
    ("2.x", (400, "BadRequest")),
    ("2.17.1", (400, "BadRequest")),
    ("2.17,2.17", (400, "BadRequest")),
    ("-2.17", (400, "BadRequest")),
    ("\u0662.17", (400, "BadRequest")),
    ("2." + "1" * 5000, (400, "BadRequest")),
    ("1.17", (412, "UnsupportedVersion")),
    ("3.0", (412, "UnsupportedVersion")),
]


@pytest.mark.osb(3, 4, 5)
@pytest.mark.bug(75)
@pytest.mark.parametrize(("version", "expected"), VERSIONS, ids=[ascii(version)[:12] for version, _ in VERSIONS])
def test_a_version_that_is_missing_malformed_or_unknown_is_told(
    broker: Desk, version: str | None, expected: tuple[int, str]
) -> None:
    sent = None if version is None else version.encode().decode("latin-1")
    response = broker.call("GET", "/v2/catalog", headers={"X-Broker-API-Version": sent})
    assert refusal(response) == expected
    description = response.get_json()["description"]
    assert ("X-Broker-API-Version" if expected[0] == 400 else "2.x") in description


@pytest.mark.osb(3)
def test_some_checkers_want_412_for_a_missing_version(data: Path, catalog: Catalog) -> None:
    older = Desk(data, catalog, missing_version_status=412)
    response = older.call("GET", "/v2/catalog", headers={"X-Broker-API-Version": None})
    assert refusal(response) == (412, "UnsupportedVersion")
    assert "X-Broker-API-Version" in response.get_json()["description"]
    assert older.call("GET", "/v2/catalog", headers={"X-Broker-API-Version": "x"}).status_code == 400
    older.store.close()


@pytest.mark.osb(5)
@pytest.mark.parametrize("version", ["2.0", "2.13", "2.17", " 2.17 ", "2.99", "02.017"])
def test_every_minor_of_version_2_is_served(broker: Desk, version: str) -> None:
    """A newer minor only adds."""
    assert broker.call("GET", "/v2/catalog", headers={"X-Broker-API-Version": version}).status_code == 200


@each_route
def test_a_version_is_wanted_on_every_route(broker: Desk, method: str, path: str) -> None:
    assert refusal(broker.call(method, path, headers={"X-Broker-API-Version": None})) == (400, "BadRequest")


def encoded(value: Any) -> str:
    return base64.b64encode(value if isinstance(value, bytes) else json.dumps(value).encode()).decode()


BAD_IDENTITIES = {
    "empty": "",
    "no value": "kubernetes",
    "no platform": encoded({}),
    "no base64": "kubernetes {}",
    "not all base64": f"kubernetes {encoded({})}!",
    "no JSON": f"kubernetes {encoded(b'{')}",
    "no UTF-8": f"kubernetes {encoded(bytes([255]))}",
    "no object": f"kubernetes {encoded([1])}",
    "deep": f"kubernetes {encoded(b'[' * 6000)}",
    "a long number": f"kubernetes {encoded(b'1' * 6000)}",
    "beyond ASCII": "kubernetes ü",
}


@pytest.mark.osb(16)
@pytest.mark.parametrize("value", BAD_IDENTITIES.values(), ids=BAD_IDENTITIES)
def test_a_malformed_originating_identity_is_told(broker: Desk, value: str) -> None:
    """400, never 5xx."""
    response = broker.call("GET", INSTANCE, headers={"X-Broker-API-Originating-Identity": value})
    assert refusal(response) == (400, "BadRequest")
    assert "X-Broker-API-Originating-Identity" in response.get_json()["description"]


@pytest.mark.parametrize("value", [f"kubernetes {encoded({'username': 'ü'})}", f" cf {encoded({})} "])
def test_a_good_originating_identity_changes_nothing(broker: Desk, value: str) -> None:
    assert (
        broker.call("GET", "/v2/catalog", headers={"X-Broker-API-Originating-Identity": value}).status_code == 200
    )


IDENTITY = "X-Broker-API-Request-Identity"
ANSWERS: dict[int, tuple[str, str, dict[str, str | None]]] = {
    200: ("GET", "/v2/catalog", {}),
    400: ("GET", f"{INSTANCE}/last_operation?operation=", {}),
    401: ("GET", "/v2/catalog", {"Authorization": None}),
    404: ("GET", "/nothing", {}),
    405: ("POST", INSTANCE, {}),
    410: ("DELETE", f"{INSTANCE}{ASYNC}&{IDS}", {}),
    412: ("GET", "/v2/catalog", {"X-Broker-API-Version": "3.0"}),
    422: ("DELETE", f"{INSTANCE}?{IDS}", {}),
}


@pytest.mark.osb(15)
@pytest.mark.parametrize("status", ANSWERS)
def test_the_identity_of_the_request_comes_back_on_every_answer(desk: Desk, status: int) -> None:
    method, path, headers = ANSWERS[status]
    response = desk.call(method, path, headers={**headers, IDENTITY: "8a1b-ü"})
    assert (response.status_code, response.headers[IDENTITY]) == (status, "8a1b-ü")


def test_the_identity_comes_back_on_304_too(desk: Desk) -> None:
    etag = desk.get("/v2/catalog").headers["ETag"]
    response = desk.call("GET", "/v2/catalog", headers={"If-None-Match": etag, IDENTITY: "x"})
    assert (response.status_code, response.headers[IDENTITY]) == (304, "x")


@pytest.mark.parametrize("value", ["x" * 257, "a\tb", "a\x1bb", "a\x85b"], ids=["long", "tab", "escape", "C1"])
def test_an_identity_that_could_garble_a_log_does_not_come_back(broker: Desk, value: str) -> None:
    assert IDENTITY not in broker.call("GET", "/v2/catalog", headers={IDENTITY: value}).headers


def test_nobody_sent_an_identity_so_none_comes_back(broker: Desk) -> None:
    assert IDENTITY not in broker.get("/v2/catalog").headers


@pytest.mark.osb(21)
@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/v2",
        "/v2/catalog/x",
        "/v2/service_instances",
        "/v2/service_instances/",
        "/v2/service_instances//service_bindings/b1",
        f"{INSTANCE}/service_bindings",
        f"{INSTANCE}/service_bindings/",
        f"{INSTANCE}/other",
        "/healthz/x",
    ],
)
def test_what_is_not_there_is_told_in_json(broker: Desk, path: str) -> None:
    response = broker.get(path)
    assert refusal(response) == (404, "NotFound")
    assert "/openapi.yaml" in response.get_json()["description"]


@pytest.mark.osb(21)
@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "/v2/catalog", {"GET", "HEAD"}),
        ("OPTIONS", "/v2/catalog", {"GET", "HEAD"}),
        ("POST", INSTANCE, {"GET", "HEAD", "PUT", "PATCH", "DELETE"}),
        ("POST", BINDING, {"GET", "HEAD", "PUT", "DELETE"}),
        ("PUT", f"{INSTANCE}/last_operation", {"GET", "HEAD"}),
        ("BREW", INSTANCE, {"GET", "HEAD", "PUT", "PATCH", "DELETE"}),
    ],
)
def test_another_method_is_told_with_those_allowed(broker: Desk, method: str, path: str, allowed: set[str]) -> None:
    """The header stays."""
    response = broker.call(method, path)
    assert refusal(response) == (405, "MethodNotAllowed")
    assert set(response.headers["Allow"].split(", ")) == allowed


@pytest.mark.osb(22)
@each_route
def test_nothing_is_redirected(broker: Desk, method: str, path: str) -> None:
    assert broker.call(method, path).status_code == broker.call(method, f"{path}/").status_code


@pytest.mark.osb(19, 22)
@pytest.mark.parametrize("path", ["/v2//catalog", "/v2/service_instances//last_operation"])
def test_an_empty_segment_is_no_other_path(broker: Desk, path: str) -> None:
    assert broker.call("GET", path).status_code == 404


@pytest.mark.osb(22)
@pytest.mark.parametrize("path", ["/v2/catalog", INSTANCE, f"{INSTANCE}/last_operation"])
def test_head_is_get_without_the_body(ready: Desk, path: str) -> None:
    head, get = ready.call("HEAD", path), ready.get(path)
    assert (head.status_code, head.data) == (200, b"")
    assert {**head.headers} == {**get.headers}


@pytest.mark.osb(21)
def test_a_body_that_is_too_large_is_told_in_json(desk: Desk) -> None:
    large = json.dumps({**PROVISION, "context": {"x": "x" * MAX_BODY_BYTES}}).encode()
    response = desk.put(body=large)
    assert refusal(response) == (413, "RequestEntityTooLarge")
    assert str(MAX_BODY_BYTES) in response.get_json()["description"]


def test_probes_need_no_login(desk: Desk) -> None:
    bare = {"Authorization": None, "X-Broker-API-Version": None}
    for path in ("/healthz", "/readyz"):
        response = desk.call("GET", path, headers=bare)
        assert (response.status_code, response.get_json()) == (200, {"status": "ok"})


@each_route
def test_nothing_is_kept_in_caches_but_the_catalog(desk: Desk, method: str, path: str) -> None:
    response = desk.call(method, path)
    assert response.headers["Cache-Control"] == ("no-cache" if path == "/v2/catalog" else "no-store")
