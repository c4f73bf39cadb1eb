"""`helmbroker migrate-drycc`: what it says, and with which exit status."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.fakes.drycc_directory import OldInstance, last, write_root
from tests.unit.broker.test_drift_cli import data, run
from tests.unit.logs import logs_as_before

__all__ = ["data", "logs_as_before"]
pytestmark = pytest.mark.usefixtures("logs_as_before")
KUBECONFIG = """
apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "http://127.0.0.1:9"}}]
contexts: [{name: c, context: {cluster: c, user: u}}]
users: [{name: u, user: {token: t}}]
current-context: c
"""


@pytest.fixture
def root(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "kubeconfig").write_text(KUBECONFIG)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    folder = tmp_path / "old"
    folder.mkdir()
    return write_root(folder)


def test_a_folder_that_is_no_data_directory(data: Path, tmp_path: Path) -> None:
    result = run("migrate-drycc", str(tmp_path))
    assert (result.exit_code, "has no folder instances; name the data directory" in result.stderr) == (2, True)


@pytest.mark.parametrize("text", ["", "[]", "{"])
def test_a_dump_that_is_none(root: Path, tmp_path: Path, text: str) -> None:
    dump = tmp_path / "valkey.json"
    dump.write_text(text)
    result = run("migrate-drycc", str(root), "--valkey", str(dump))
    assert (result.exit_code, result.stderr.startswith("helmbroker: ")) == (2, True), result.output
    assert "valkey.json" in result.stderr


def test_nothing_to_migrate(root: Path) -> None:
    result = run("migrate-drycc", str(root), "--dry-run")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "nothing is changed" in result.stderr


def test_what_is_left_is_told_and_shows_in_the_status(root: Path) -> None:
    folder = OldInstance("i", "mydb").write(root)
    (folder / "instance.json").write_text("{")
    (root / "instances" / "a\nb").mkdir()
    result = run("migrate-drycc", str(root))
    first, second = result.output.splitlines()
    assert result.exit_code == 1
    assert first.startswith("left      instance 'a\\nb': instance.json is missing")
    assert second == "left      instance i: instance.json is not valid JSON; restore it from backups/"
    result = run("migrate-drycc", str(root), "-o", "json")
    assert [json.loads(line)["verdict"] for line in result.output.splitlines()] == ["left", "left"]


def test_without_a_cluster_nothing_is_tried(root: Path) -> None:
    OldInstance("i", "mydb", last=last("failed")).write(root)
    result = run("migrate-drycc", str(root))
    assert (result.exit_code, "The cluster cannot be used now" in result.stderr) == (2, True), result.output
