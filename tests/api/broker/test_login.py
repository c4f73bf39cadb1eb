"""Who may call: users and tokens in files, and what is written down of their calls (OSB items 1, 15, 16)."""

from __future__ import annotations

import base64
import json
import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Request
from werkzeug.test import EnvironBuilder, TestResponse

from helmbroker.broker.api.auth import logins
from helmbroker.broker.api.auth.basic import BasicUsers
from helmbroker.broker.api.auth.bearer import BearerTokens
from helmbroker.broker.api.auth.chain import Authentication, Caller, How, Refused
from helmbroker.broker.api.auth.jwks import ProviderKeys
from helmbroker.broker.api.auth.logins import LoginFile, hashed
from helmbroker.broker.api.auth.oidc import OidcTokens, Rules
from helmbroker.catalog.model import Catalog
from tests.api.broker.desk import ASYNC, IDS, INSTANCE, PROVISION, Desk, refusal
from tests.unit.broker.provider import AUDIENCE, Provider

BASIC = 'Basic realm="helmbroker", charset="UTF-8"'


class Door:
    """A broker with files of users and tokens, which do not exist at first."""

    def __init__(self, data: Path, catalog: Catalog) -> None:
        self.users, self.tokens = data / "users", data / "tokens"
        methods = (BasicUsers([LoginFile(self.users, hashed)]), BearerTokens(LoginFile(self.tokens, hashed)))
        self.desk = Desk(data, catalog, *methods)

    def knock(self, authorization: str | None) -> TestResponse:
        return self.desk.call("GET", "/v2/catalog", headers={"Authorization": authorization})

    def opens(self, authorization: str) -> bool:
        response = self.knock(authorization)
        assert response.status_code in {200, 401}
        return response.status_code == 200


@pytest.fixture
def door(data: Path, catalog: Catalog) -> Iterator[Door]:
    made = Door(data, catalog)
    yield made
    made.desk.store.close()


def basic(name: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


@pytest.mark.osb(1)
def test_users_come_and_go_without_a_restart(door: Door) -> None:
    alice, bob = (logins.add(door.users, name) for name in ("alice", "bob"))
    assert door.opens(basic("alice", alice))
    assert door.opens(basic("bob", bob))
    assert not door.opens(basic("alice", bob))
    assert not door.opens(basic("alice", ""))
    logins.remove(door.users, "alice")
    assert not door.opens(basic("alice", alice))
    assert door.opens(basic("bob", bob))
    door.users.unlink()
    assert not door.opens(basic("bob", bob))


@pytest.mark.osb(1)
def test_a_digest_is_no_password(door: Door) -> None:
    """Who reads the file cannot log in with what stands there."""
    logins.add(door.users, "alice")
    logins.add(door.tokens, "ci")
    assert not door.opens(basic("alice", door.users.read_text().strip().partition(":")[2]))
    assert not door.opens("Bearer " + door.tokens.read_text().strip().partition(":")[2])


@pytest.mark.osb(1)
def test_a_token_is_a_login(door: Door) -> None:
    token = logins.add(door.tokens, "ci")
    assert door.opens(f"Bearer {token}")
    assert door.opens(f"bearer {token}")
    assert not door.opens(f"Bearer {token}x")
    assert not door.opens("Bearer")
    assert not door.opens(f"Token {token}")
    assert not door.opens(basic("ci", token))
    logins.remove(door.tokens, "ci")
    assert not door.opens(f"Bearer {token}")


@pytest.mark.osb(1)
def test_there_is_a_challenge_for_each_way_that_is_open(door: Door) -> None:
    assert door.knock(None).headers.getlist("WWW-Authenticate") == [BASIC]
    logins.add(door.tokens, "ci")
    logins.add(door.users, "alice")
    response = door.knock(None)
    assert refusal(response) == (401, "Unauthorized")
    assert response.headers.getlist("WWW-Authenticate") == [BASIC, 'Bearer realm="helmbroker"']


@pytest.mark.parametrize("text", ["alice", "alice:x", ":x", "\xff", "alice:" + "g" * 64])
def test_a_broken_file_locks_nobody_out(door: Door, caplog: pytest.LogCaptureFixture, text: str) -> None:
    """An editor may have written half of it; the log says what is wrong, once, and without the content."""
    secret = logins.add(door.users, "alice")
    assert door.opens(basic("alice", secret))
    door.users.write_bytes(text.encode("latin-1"))
    assert door.opens(basic("alice", secret))
    assert door.opens(basic("alice", secret))
    (line,) = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert line.startswith(str(door.users))
    assert "g" * 64 not in line


def test_lines_may_be_empty_or_remarks(door: Door) -> None:
    secret = logins.add(door.users, "alice")
    door.users.write_text(f"# users\n\n{door.users.read_text()}\n  \n")
    assert door.opens(basic("alice", secret))


def lines(caplog: pytest.LogCaptureFixture, event: str) -> list[dict[str, Any]]:
    return [vars(record) for record in caplog.records if record.getMessage() == event]


def origin(platform: str, user: Any) -> dict[str, str]:
    return {
        "X-Broker-API-Originating-Identity": f"{platform} {base64.b64encode(json.dumps(user).encode()).decode()}",
        "X-Broker-API-Request-Identity": "request-7",
    }


@pytest.mark.osb(15, 16)
def test_each_change_is_written_down_with_who_asked_for_it(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    user = {"username": "duke", "groups": ["canary-group"], "extra": {"mail": ["canary-mail"]}}
    assert (
        desk.call("DELETE", f"{INSTANCE}{ASYNC}&{IDS}", headers=dict(origin("kubernetes", user))).status_code == 410
    )
    desk.get(INSTANCE)
    (line,) = lines(caplog, "change requested")
    said = ("method", "path", "status", "caller", "caller_how")
    assert tuple(map(line.get, said)) == ("DELETE", INSTANCE, 410, "platform", "password")
    assert (line["origin_platform"], line["origin_user"]) == ("kubernetes", "duke")
    assert line["request_identity"] == "request-7"
    assert "canary" not in caplog.text + repr(line)


@pytest.mark.osb(16)
@pytest.mark.parametrize(
    ("user", "known"),
    [
        ({"user_id": "683ea748"}, "683ea748"),
        ({"username": "duke", "uid": "c2dde242"}, "c2dde242"),
        ({"uid": "", "username": "duke"}, "duke"),
        ({"uid": 7}, None),
        ({"username": "x" * 257}, None),
        ({"username": "a\nb"}, None),
        ({}, None),
    ],
    ids=str,
)
def test_the_user_is_named_when_it_can_be(
    desk: Desk, caplog: pytest.LogCaptureFixture, user: Any, known: str | None
) -> None:
    caplog.set_level(logging.INFO)
    desk.call("DELETE", f"{INSTANCE}{ASYNC}&{IDS}", headers=dict(origin("kubernetes", user)))
    (line,) = lines(caplog, "change requested")
    assert line.get("origin_user") == known


@pytest.mark.osb(16)
@pytest.mark.parametrize(("platform", "told"), [("cloudfoundry", 1), ("kubernetes", 0)])
def test_a_platform_that_names_itself_in_two_ways_is_told_to_the_operator(
    desk: Desk, caplog: pytest.LogCaptureFixture, platform: str, told: int
) -> None:
    context = {"platform": "kubernetes"}
    response = desk.call(
        "PUT", f"{INSTANCE}{ASYNC}", {**PROVISION, "context": context}, dict(origin(platform, {"uid": "u"}))
    )
    assert response.status_code == 202
    assert len(lines(caplog, "context.platform is not that of the originating identity")) == told


@pytest.mark.osb(1)
def test_a_refused_login_is_written_down_without_what_was_shown(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    headers: dict[str, str | None] = {"Authorization": basic("canary-user", "canary-password")}
    desk.call("GET", f"{INSTANCE}?canary-query=1", headers=headers)
    (line,) = lines(caplog, "login refused")
    assert (line["path"], line["address"], line["reason"]) == (INSTANCE, "127.0.0.1", "unknown user")
    assert "canary" not in repr(line)


@pytest.mark.osb(1)
@pytest.mark.parametrize(
    ("shown", "reason"),
    [
        (None, "no credentials"),
        ("", "no credentials"),
        ("canary", "credentials of a kind that is not taken"),
        ("Basic canary", "unreadable credentials"),
        ("Digest username=canary", "credentials of a kind that is not taken"),
        (basic("canary", "canary"), "unknown user"),
        (basic("", "canary"), "unknown user"),
        (basic("platform", "canary"), "wrong password"),
        ("Bearer canary", "unknown token"),
    ],
)
def test_the_log_says_why_a_login_is_refused_and_the_caller_is_told_the_same(
    door: Door, caplog: pytest.LogCaptureFixture, shown: str | None, reason: str
) -> None:
    """Whether a user exists is nothing for strangers."""
    response, told = door.knock(shown), door.knock(basic("nobody", "nothing"))
    assert (response.status_code, response.data, response.headers.getlist("WWW-Authenticate")) == (
        401,
        told.data,
        told.headers.getlist("WWW-Authenticate"),
    )
    line, _ = lines(caplog, "login refused")
    assert line["reason"] == reason
    assert "canary" not in repr(line)


@pytest.mark.osb(1)
def test_the_log_says_which_tokens_of_a_provider_are_refused_and_why(
    data: Path, catalog: Catalog, caplog: pytest.LogCaptureFixture
) -> None:
    provider = Provider()
    rules = Rules(provider.issuer, AUDIENCE, ("ES256",), claims={"groups": "platforms"})
    desk = Desk(data, catalog, OidcTokens(rules, ProviderKeys(provider.issuer)))
    try:
        for token in (provider.token(exp=1), provider.token(aud="another"), provider.token(), "opaque"):
            desk.call("GET", "/v2/catalog", headers={"Authorization": f"Bearer {token}"})
        assert [line["reason"] for line in lines(caplog, "login refused")] == [
            "expired token",
            "token that is not trusted",
            "not allowed here",
            "unknown token",
        ]
    finally:
        desk.store.close()
        provider.close()


@pytest.mark.osb(1)
def test_a_token_of_an_openid_provider_is_a_login(data: Path, catalog: Catalog) -> None:
    provider = Provider()
    ours = BearerTokens(LoginFile(data / "tokens", hashed))
    theirs = OidcTokens(Rules(provider.issuer, AUDIENCE, ("ES256",)), ProviderKeys(provider.issuer))
    desk = Desk(data, catalog, ours, theirs)
    try:
        opaque = logins.add(data / "tokens", "ci")
        for token, status in ((provider.token(), 200), (opaque, 200), (f"{opaque}x", 401), ("a.b.c", 401)):
            response = desk.call("GET", "/v2/catalog", headers={"Authorization": f"Bearer {token}"})
            assert response.status_code == status
        late = desk.call("GET", "/v2/catalog", headers={"Authorization": f"Bearer {provider.token(exp=1)}"})
        assert refusal(late) == (401, "Unauthorized")
        assert late.get_json()["description"].endswith("The bearer token has expired.")
        assert late.headers.getlist("WWW-Authenticate") == [BASIC, 'Bearer realm="helmbroker"']
        provider.documents.clear()
        keyless = OidcTokens(Rules(provider.issuer, AUDIENCE, ("ES256",)), ProviderKeys(provider.issuer))
        away = Desk(data, catalog, keyless)
        response = away.call("GET", "/v2/catalog", headers={"Authorization": f"Bearer {provider.token()}"})
        assert refusal(response) == (503, "Unavailable")
        away.store.close()
    finally:
        desk.store.close()
        provider.close()


@pytest.mark.osb(1)
def test_who_comes_while_the_logins_are_read_waits_for_them(tmp_path: Path) -> None:
    """The first requests come together: none of them is judged by a file that another one has not read yet."""
    (tmp_path / "logins").write_text("platform:secret\n")
    met: list[tuple[logins.Login, ...]] = []
    second = threading.Thread(target=lambda: met.append(file.logins()))

    def form(path: Path, secret: str) -> bytes:
        second.start()
        second.join(0.05)  # it cannot end before this does
        return logins.plain(path, secret)

    file = LoginFile(tmp_path / "logins", form)
    expected = file.logins()
    second.join()
    assert met == [expected]
    assert [login.name for login in expected] == ["platform"]


class Faulty:
    """A way to log in with a fault of ours."""

    def challenge(self) -> str | None:
        return None

    def caller(self, request: Request) -> Caller | None:
        raise LookupError("canary-fault")


@pytest.mark.osb(15, 21)
def test_a_fault_of_ours_is_answered_with_the_identity_of_the_request(
    data: Path, catalog: Catalog, caplog: pytest.LogCaptureFixture
) -> None:
    desk = Desk(data, catalog, Faulty())
    headers: dict[str, str | None] = {"Authorization": None, "X-Broker-API-Request-Identity": "request-7"}
    response = desk.call("GET", "/v2/catalog", headers=headers)
    assert refusal(response) == (500, "InternalError")
    assert response.headers["X-Broker-API-Request-Identity"] == "request-7"
    assert "canary" not in response.text
    (line,) = lines(caplog, "internal error")
    assert (line["request_identity"], line["path"]) == ("request-7", "/v2/catalog")
    desk.store.close()


def test_logins_outlive_a_volume_that_is_away_but_not_their_file(tmp_path: Path) -> None:
    volume = tmp_path / "volume"
    volume.mkdir()
    secret = logins.add(volume / "users", "alice")
    file = LoginFile(volume / "users", hashed)
    assert logins.proven(file.logins(), secret) == "alice"
    away = volume.rename(tmp_path / "away")
    assert logins.proven(file.logins(), secret) == "alice"
    away.rename(volume)
    file.path.unlink()
    assert file.logins() == ()


class Other:
    """Another way to log in, tried after one that refuses."""

    def challenge(self) -> None:
        return None

    def caller(self, _request: Request) -> Caller:
        return Caller("alice", How.CERTIFICATE)


def test_who_is_refused_in_one_way_may_come_in_by_another() -> None:
    request = Request(EnvironBuilder(headers=[("Authorization", "Bearer a.b.c")]).get_environ())
    oidc = OidcTokens(Rules("https://issuer.test", AUDIENCE, ("ES256",)), ProviderKeys("https://issuer.test"))
    with pytest.raises(Refused):
        oidc.caller(request)
    assert Authentication([oidc, Other()]).caller(request) == Caller("alice", How.CERTIFICATE)
