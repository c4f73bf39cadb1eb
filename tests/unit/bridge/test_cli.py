"""The command line: what it says when the set-up is not as it should be."""

from __future__ import annotations

import errno
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from helmbroker.controller_bridge import cli, transfer_commands
from helmbroker.controller_bridge.settings import SetupError
from helmbroker.sealing import RingFile
from tests.unit.logs import logs_as_before

__all__ = ["logs_as_before"]
KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: one
contexts: [{name: one, context: {cluster: one, user: one}}]
clusters: [{name: one, cluster: {server: "http://127.0.0.1:9"}}]
users: [{name: one, user: {token: t}}]
"""
pytestmark = pytest.mark.usefixtures("logs_as_before")


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HELMBROKER_BRIDGE_DATA_DIR", str(tmp_path / "data"))
    return tmp_path / "data"


def run(*words: str) -> Result:
    return CliRunner().invoke(cli.main, words)


def test_help_shows_examples_and_every_setting() -> None:
    text = run("--help").output
    assert "helmbroker-bridge init" in text
    assert "HELMBROKER_BRIDGE_BROKER_URL [http://127.0.0.1:8080]: the service broker" in text
    assert "token add alice --app shop" in run("token", "add", "--help").output


@pytest.mark.parametrize("words", [("run",), ("api",), ("worker",), ("token", "add", "bob", "--app", "x")])
def test_without_init(data: Path, words: tuple[str, ...]) -> None:
    ran = run(*words)
    assert (ran.exit_code, ran.output) == (
        1,
        f"helmbroker-bridge: there is no {data}; run `helmbroker-bridge init` first\n",
    )


def test_watch_needs_no_init_but_a_cluster(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HELMBROKER_BRIDGE_KUBECONFIG", str(data / "nowhere"))
    ran = run("watch")
    assert ran.exit_code == 1
    assert f"cannot connect to a Kubernetes cluster: {data}/nowhere is missing" in ran.output


def test_init_then_a_token(data: Path) -> None:
    first = run("init")
    assert first.exit_code == 0
    assert f"made {data}/admin-token" in first.output
    token = (data / "admin-token").read_text().strip()
    assert token not in first.output
    assert len(run("token", "add", "bob", "--app", "*").output.strip()) >= 40


@pytest.mark.parametrize(
    ("words", "status", "sentence"),
    [
        (("token", "add", "bob"), 2, "name at least one --app"),
        (("token", "add", "bob", "--app", "x", "--role", "boss"), 1, "'boss' is no role"),
    ],
)
def test_bad_arguments(data: Path, words: tuple[str, ...], status: int, sentence: str) -> None:
    run("init")
    ran = run(*words)
    assert ran.exit_code == status
    assert sentence in ran.output


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LISTEN", "8081"),
        ("LISTEN", "host:99999"),
        ("BROKER_URL", "http://user:canary@host"),
        ("BROKER_URL", "ftp://host"),
        ("CONCURRENCY", "0"),
        ("LOG_LEVEL", "loud"),
    ],
)
def test_bad_settings_are_named_without_values(
    data: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"HELMBROKER_BRIDGE_{name}", value)
    ran = run("run")
    assert ran.exit_code == 1
    assert ran.output.startswith(f"helmbroker-bridge: HELMBROKER_BRIDGE_{name}: ")
    assert "canary" not in ran.output


def test_a_file_of_brokers_that_cannot_be_used(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run("init")
    path = data / "brokers.yaml"
    path.write_text("default: {url: 'http://canary@x'}")
    monkeypatch.setenv("HELMBROKER_BRIDGE_BROKERS_FILE", str(path))
    (data / "kubeconfig").write_text(KUBECONFIG)
    monkeypatch.setenv("HELMBROKER_BRIDGE_KUBECONFIG", str(data / "kubeconfig"))
    ran = run("worker")
    said = "calls a broker 'default', which is the bridge's own word: choose another name"
    assert (ran.exit_code, ran.output) == (
        1,
        f"helmbroker-bridge: {path} of HELMBROKER_BRIDGE_BROKERS_FILE {said}\n",
    )


def test_records_are_exported_and_imported(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run("init")
    file = data / "all.jsonl"
    assert run("export", str(file)).exit_code == 0
    assert file.stat().st_mode & 0o777 == 0o600
    assert run("export").output == file.read_text()
    again = run("export", str(file))
    assert (again.exit_code, again.output) == (1, f"helmbroker-bridge: {file} cannot be written: File exists\n")
    monkeypatch.setenv("HELMBROKER_BRIDGE_DATABASE_URL", f"sqlite:///{data}/other.db")
    done = run("import", str(file), "--output", "json")
    assert done.exit_code == 0, done.output
    assert {"table": "facts", "rows": 3} in [json.loads(line) for line in done.output.splitlines()]
    assert "audit already" in run("import", str(file)).output
    missing = run("import", str(data / "none"))
    assert (missing.exit_code, missing.output) == (
        1,
        f"helmbroker-bridge: {data}/none cannot be read: No such file or directory\n",
    )


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), SetupError("no database")])
def test_of_an_export_that_fails_nothing_stays(tmp_path: Path, error: Exception) -> None:
    """Nobody takes a part for all of it, and the next try finds nothing in its way."""
    file = tmp_path / "all.jsonl"

    def lines() -> Iterator[str]:
        yield "a line"
        raise error

    with pytest.raises(SetupError, match=r"No space left|no database"), transfer_commands.made(file) as made:
        made.writelines(lines())
    assert not file.exists()


def test_keys_are_rotated_and_taken_off(data: Path) -> None:
    run("init")
    first = RingFile(data / "keys.json").active.id
    rotated = run("keys", "rotate")
    assert rotated.exit_code == 0, rotated.output
    assert "2 secrets were brought under it, 0 are left" in rotated.output  # of the check, and of the audit
    assert run("keys", "remove", first).exit_code == 0
    assert run("keys", "list").output.count("\n") == 1
    refused = run("keys", "remove", first)
    assert (refused.exit_code, refused.output.startswith("helmbroker-bridge: the key ring")) == (1, True)


@pytest.mark.parametrize("command", ["list", "add", "rotate"])
def test_a_key_ring_of_another_database_is_refused(data: Path, command: str) -> None:
    run("init")
    run("keys", "list")
    (data / "keys.json").unlink()
    RingFile.create(data / "keys.json")
    before = (data / "keys.json").read_text()
    ran = run("keys", command)
    assert ran.exit_code == 1
    assert "the key ring is not that of this database" in ran.output
    assert (data / "keys.json").read_text() == before
