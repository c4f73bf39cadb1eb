"""HTTP for sources: what is sent to whom, and what is too much."""

from __future__ import annotations

import base64
from itertools import count
from pathlib import Path

import pytest
import requests
import requests_mock
from requests_mock import ANY

from helmbroker.catalog.sources.model import Access, Reason, SourceError
from helmbroker.catalog.sources.web import Web

HOME = "https://addons.example/charts/index.yaml"
CANARY = "canary-77aa"


@pytest.fixture
def login(tmp_path: Path) -> Access:
    (tmp_path / "login").write_text(f"alice:{CANARY}\n")
    return Access(login_file=tmp_path / "login")


def refused(web: Web, url: str = HOME, most: int = 100) -> SourceError:
    with pytest.raises(SourceError) as refusal:
        web.fetch(url, most=most)
    assert CANARY not in str(refusal.value)
    return refusal.value


def test_the_login_is_sent_to_its_own_place(requests_mock: requests_mock.Mocker, login: Access) -> None:
    requests_mock.get(HOME, content=b"hello")
    assert Web(login, HOME).fetch(HOME, most=100) == b"hello"
    sent = requests_mock.last_request
    assert sent is not None
    assert sent.headers["Authorization"] == f"Basic {base64.b64encode(f'alice:{CANARY}'.encode()).decode()}"


def test_a_token_is_a_bearer(requests_mock: requests_mock.Mocker, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(CANARY)
    requests_mock.get(HOME, content=b"")
    Web(Access(token_file=tmp_path / "token"), HOME).fetch(HOME, most=100)
    sent = requests_mock.last_request
    assert sent is not None
    assert sent.headers["Authorization"] == f"Bearer {CANARY}"


@pytest.mark.bug(77)
@pytest.mark.parametrize(
    "elsewhere",
    ["https://other.example/x", "https://addons.example:8443/x", "https://addons.example.evil.example/x"],
)
def test_a_redirect_elsewhere_is_followed_without_the_login(
    requests_mock: requests_mock.Mocker, login: Access, elsewhere: str
) -> None:
    requests_mock.get(HOME, status_code=302, headers={"Location": elsewhere})
    requests_mock.get(elsewhere, content=b"there")
    assert Web(login, HOME).fetch(HOME, most=100) == b"there"
    assert ["Authorization" in each.headers for each in requests_mock.request_history] == [True, False]


def test_a_redirect_within_keeps_it(requests_mock: requests_mock.Mocker, login: Access) -> None:
    requests_mock.get(HOME, status_code=307, headers={"Location": "/moved"})
    requests_mock.get("https://addons.example/moved", content=b"there")
    assert Web(login, HOME).fetch(HOME, most=100) == b"there"
    assert all("Authorization" in each.headers for each in requests_mock.request_history)


def test_no_login_is_looked_for_elsewhere(
    requests_mock: requests_mock.Mocker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """requests would read ~/.netrc."""
    (tmp_path / "netrc").write_text(f"machine addons.example login alice password {CANARY}\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    requests_mock.get(HOME, content=b"")
    Web(Access(), HOME).fetch(HOME, most=100)
    sent = requests_mock.last_request
    assert sent is not None
    assert "Authorization" not in sent.headers


@pytest.mark.bug(77)
@pytest.mark.parametrize(
    ("url", "insecure", "allowed"),
    [
        ("http://addons.example/x", None, False),
        ("http://addons.example/x", True, True),
        ("http://127.0.0.1/x", None, True),
        ("http://localhost:81/x", None, True),
        ("http://[::1]/x", None, True),
        ("http://127.0.0.1/x", False, False),
        ("http://127.0.0.1.evil.example/x", None, False),
        ("https://addons.example/x", False, True),
        ("ftp://addons.example/x", True, False),
        ("https://alice:canary-77aa@addons.example/x", None, False),
        ("https:///x", None, False),
    ],
)
def test_http_without_tls_only_where_it_is_allowed(
    requests_mock: requests_mock.Mocker, url: str, insecure: bool | None, allowed: bool
) -> None:
    requests_mock.get(ANY, content=b"")
    web = Web(Access(insecure=insecure), url)
    if allowed:
        assert web.fetch(url, most=100) == b""
    else:
        refused(web, url)
        assert requests_mock.call_count == 0


def test_a_redirect_to_http_is_refused(requests_mock: requests_mock.Mocker, login: Access) -> None:
    requests_mock.get(HOME, status_code=302, headers={"Location": "http://addons.example/x"})
    assert "HTTP without TLS is refused" in refused(Web(login, HOME)).message


@pytest.mark.parametrize("place", ["http://127.0.0.1:8080/admin", "http://localhost/x"])
def test_nobody_else_leads_to_what_listens_on_this_machine(requests_mock: requests_mock.Mocker, place: str) -> None:
    requests_mock.get(HOME, status_code=302, headers={"Location": place})
    assert "HTTP without TLS is refused" in refused(Web(Access(), HOME)).message


def test_redirects_end(requests_mock: requests_mock.Mocker, login: Access) -> None:
    requests_mock.get(HOME, status_code=302, headers={"Location": HOME})
    assert "redirects more than 5 times" in refused(Web(login, HOME)).message


@pytest.mark.bug(77)
def test_what_is_too_large_is_not_read_to_its_end(requests_mock: requests_mock.Mocker) -> None:
    requests_mock.get(HOME, content=b"x" * 101)
    assert "has more than 100 bytes" in refused(Web(Access(), HOME)).message


def test_an_encoding_that_was_not_asked_for_is_not_decoded(requests_mock: requests_mock.Mocker) -> None:
    requests_mock.get(HOME, content=b"x", headers={"Content-Encoding": "gzip"})
    assert "an encoding that was not asked for" in refused(Web(Access(), HOME)).message


def test_what_trickles_in_has_an_end(requests_mock: requests_mock.Mocker) -> None:
    """Each piece within the time for one, all together not."""
    requests_mock.get(HOME, content=b"x" * 1_000_000)
    ticks = count(0.0, 10.0)
    web = Web(Access(), HOME, total_s=60.0, clock=lambda: next(ticks))
    assert "took longer than 60 s" in refused(web, most=2_000_000).message


@pytest.mark.bug(76)
@pytest.mark.parametrize(
    ("error", "words"),
    [
        (requests.exceptions.ConnectTimeout(f"https://x/?token={CANARY}"), "no connection within 10 s"),
        (requests.exceptions.ReadTimeout(CANARY), "silent for 15 s"),
        (requests.exceptions.ConnectionError(CANARY), "no connection: refused"),
        (requests.exceptions.SSLError(CANARY), "set ca_file"),
        (requests.exceptions.ChunkedEncodingError(CANARY), "cut off or damaged"),
    ],
)
def test_why_a_place_is_not_reached(requests_mock: requests_mock.Mocker, error: Exception, words: str) -> None:
    requests_mock.get(HOME, exc=error)
    found = refused(Web(Access(), f"{HOME}?token={CANARY}"), f"{HOME}?token={CANARY}")
    assert (found.reason, words in found.message) == (Reason.FETCHING, True)


@pytest.mark.parametrize(("status", "words"), [(401, "a login is needed"), (403, "may not"), (500, "500")])
def test_a_status_is_told_with_its_cure(requests_mock: requests_mock.Mocker, status: int, words: str) -> None:
    requests_mock.get(HOME, status_code=status)
    assert words in refused(Web(Access(), HOME)).message


@pytest.mark.parametrize("text", ["", "two\nlines", "nul\0"])
def test_a_file_that_holds_no_secret_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "login").write_text(text)
    assert "must hold one printable line" in refused(Web(Access(login_file=tmp_path / "login"), HOME)).message


def test_files_that_are_missing_are_named(tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    assert str(missing) in refused(Web(Access(token_file=missing), HOME)).message
    with pytest.raises(SourceError, match=str(missing)):
        Web(Access(ca_file=missing), HOME)


def test_an_authority_is_not_overruled_by_the_environment(
    requests_mock: requests_mock.Mocker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """requests would prefer REQUESTS_CA_BUNDLE."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere")
    (tmp_path / "ca.pem").touch()
    requests_mock.get(HOME, content=b"")
    Web(Access(ca_file=tmp_path / "ca.pem"), HOME).fetch(HOME, most=100)
    sent = requests_mock.last_request
    assert sent is not None
    assert sent.verify == str(tmp_path / "ca.pem")
