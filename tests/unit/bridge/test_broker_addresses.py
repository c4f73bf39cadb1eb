"""Which brokers there are: that of the variables, and those of a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from helmbroker.controller_bridge.broker_addresses import Address, addresses
from helmbroker.controller_bridge.settings import Settings, SetupError

FIRST = Address(url="http://127.0.0.1:8080", credentials_file=Path("helmbroker-data/platform-credentials"))


def given(folder: Path, text: str) -> Settings:
    path = folder / "brokers.yaml"
    path.write_text(text)
    return Settings(brokers_file=path)


def test_without_a_file_there_is_one() -> None:
    assert addresses(Settings()) == {"default": FIRST}


def test_those_of_the_file_come_to_it(tmp_path: Path) -> None:
    text = """
mysql-team:
  url: https://broker.example.com/mysql
  credentials_file: /etc/bridge/mysql
  ca_file: /etc/bridge/ca.pem
  timeout_s: 5
other: {url: "http://other:8080", credentials_file: /etc/bridge/other}
third: {url: "https://third", client_certificate_file: /etc/bridge/tls.crt, client_key_file: /etc/bridge/tls.key}
"""
    assert addresses(given(tmp_path, text)) == {
        "default": FIRST,
        "mysql-team": Address(
            url="https://broker.example.com/mysql",
            credentials_file=Path("/etc/bridge/mysql"),
            ca_file=Path("/etc/bridge/ca.pem"),
            timeout_s=5,
        ),
        "other": Address(url="http://other:8080", credentials_file=Path("/etc/bridge/other")),
        "third": Address(
            url="https://third",
            client_certificate_file=Path("/etc/bridge/tls.crt"),
            client_key_file=Path("/etc/bridge/tls.key"),
        ),
    }


def test_a_client_certificate_is_a_login(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the file of credentials is not looked for, unless somebody names it."""
    monkeypatch.setenv("HELMBROKER_BRIDGE_BROKER_URL", "https://broker")
    monkeypatch.setenv("HELMBROKER_BRIDGE_BROKER_CLIENT_CERTIFICATE_FILE", "tls.crt")
    monkeypatch.setenv("HELMBROKER_BRIDGE_BROKER_CLIENT_KEY_FILE", "tls.key")
    alone = addresses(Settings())["default"]
    assert (alone.client_certificate_file, alone.credentials_file) == (Path("tls.crt"), None)
    assert addresses(Settings(broker_credentials_file=Path("login")))["default"].credentials_file == Path("login")


def test_half_a_client_certificate_is_told_by_its_variables() -> None:
    with pytest.raises(
        SetupError,
        match=r"HELMBROKER_BRIDGE_BROKER_\.\.\.: client_certificate_file and client_key_file: set both or neither",
    ):
        addresses(Settings(broker_url="https://broker", broker_client_key_file=Path("tls.key")))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a: [", r"is not YAML \(line 2\)"),
        ("", "has to be a mapping of brokers by name"),
        ("[a]", "has to be a mapping of brokers by name"),
        ("A_B: {}", "calls a broker 'A_B': use a-z, 0-9 and hyphens, at most 63"),
        ("1: {}", "calls a broker 1: use a-z"),
        ("default: {}", "calls a broker 'default', which is the bridge's own word: choose another name"),
        ("external: {}", "calls a broker 'external', which is the bridge's own word"),
        (
            "a: {url: 'http://x'}",
            "is wrong about the broker a: there is no login: set credentials_file, or a client",
        ),
        (
            "a: {url: 'https://x', client_key_file: k}",
            "broker a: client_certificate_file and client_key_file: set both or neither",
        ),
        (
            "a: {url: 'http://x', client_certificate_file: c, client_key_file: k}",
            "broker a: a client certificate is shown over https alone: mend the url",
        ),
        ("a: 3", "is wrong about the broker a: Input should be a valid dictionary"),
        ("a: {url: 'http://x', credentials_file: f, pasword: p}", "pasword: Extra inputs are not permitted"),
        (
            "a: {url: 'http://u:hidden@x', credentials_file: f}",
            "is wrong about the broker a: url: String should match",
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_place(tmp_path: Path, text: str, sentence: str) -> None:
    settings = given(tmp_path, text)
    with pytest.raises(SetupError, match=sentence) as caught:
        addresses(settings)
    assert str(caught.value).startswith(f"{tmp_path}/brokers.yaml of HELMBROKER_BRIDGE_BROKERS_FILE ")
    assert "hidden" not in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=r"cannot be read \(No such file"):
        addresses(Settings(brokers_file=tmp_path / "none"))
