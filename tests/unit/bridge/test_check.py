"""`helmbroker-bridge check`: which brokers can be used, and what to mend."""

from __future__ import annotations

import json
import ssl
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from helmbroker.controller_bridge import cli
from tests.operations.bridge.osb_server import OsbServer
from tests.unit.logs import logs_as_before
from tests.unit.runtime.certificates import LOCALHOST, Authority

__all__ = ["logs_as_before"]
pytestmark = pytest.mark.usefixtures("logs_as_before")


def check(url: str, folder: Path, monkeypatch: pytest.MonkeyPatch, *, more: str = "", **variables: Path) -> Result:
    """variables: of the broker `default`; more: the file of brokers."""
    (folder / "login").write_text("user:password")
    for name, value in {"broker_credentials_file": folder / "login", "broker_url": url, **variables}.items():
        monkeypatch.setenv(f"HELMBROKER_BRIDGE_{name.upper()}", str(value))
    if more:
        (folder / "brokers.yaml").write_text(more)
        monkeypatch.setenv("HELMBROKER_BRIDGE_BROKERS_FILE", str(folder / "brokers.yaml"))
    return CliRunner().invoke(cli.main, ["check", "-o", "json" if more else "text"])


def test_every_broker_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    more = f"team: {{url: 'http://127.0.0.1:9', credentials_file: {tmp_path}/login}}"
    with closing(OsbServer()) as server:
        ran = check(server.url, tmp_path, monkeypatch, more=more)
        seen = [json.loads(line) for line in ran.stdout.splitlines()]
        well = f"{server.url}, services offered: 1"
    assert seen[0] == {"subject": "broker default", "ok": True, "detail": well}
    assert (seen[1]["subject"], seen[1]["ok"], ran.exit_code) == ("broker team", False, 1)
    assert seen[1]["detail"].startswith("the broker at 127.0.0.1:9 does not answer")


def test_all_is_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(OsbServer()) as server:
        ran = check(server.url, tmp_path, monkeypatch)
        assert (ran.exit_code, ran.stdout) == (0, f"ok    broker default: {server.url}, services offered: 1\n")


def test_files_for_tls_are_told_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = Authority(tmp_path)
    (certificate, _), (_, key) = authority.issue("bridge"), authority.issue("another")
    ran = check(
        "https://localhost:9",
        tmp_path,
        monkeypatch,
        broker_ca_file=authority.ca,
        broker_client_certificate_file=certificate,
        broker_client_key_file=key,
    )
    said = f"FAIL  broker default: {key} is not the key of the certificate in {certificate}: put a pair there\n"
    assert (ran.exit_code, ran.stdout) == (1, said)


def test_a_broker_that_asks_for_a_certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = Authority(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(authority.ca))
    context.load_cert_chain(*authority.issue("server", [LOCALHOST]))
    context.verify_mode, context.maximum_version = ssl.CERT_REQUIRED, ssl.TLSVersion.TLSv1_2
    with closing(OsbServer(tls=context)) as server:
        ran = check(server.url, tmp_path, monkeypatch, broker_ca_file=authority.ca)
    assert ran.exit_code == 1
    assert "FAIL  broker default: the broker cannot be used: it asks for a client certificate" in ran.stdout


def test_a_file_of_a_login_is_told_by_name_and_hides_no_other_broker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "latin").write_bytes(b"user:p\xe4ss")
    more = "\n".join(
        f"{name}: {{url: 'http://127.0.0.1:9', credentials_file: {tmp_path}/{name}}}" for name in ("latin", "none")
    )
    with closing(OsbServer()) as server:
        ran = check(server.url, tmp_path, monkeypatch, more=more)
    told = {row["subject"]: row["detail"] for row in map(json.loads, ran.stdout.splitlines()) if not row["ok"]}
    shape, unusable = "it has to be one line of UTF-8, user:password or Bearer TOKEN", "is not usable as the login:"
    assert told == {
        "broker latin": f"{tmp_path}/latin {unusable} {shape}",
        "broker none": f"{tmp_path}/none {unusable} No such file or directory; {shape}",
    }
    assert ran.exit_code == 1
