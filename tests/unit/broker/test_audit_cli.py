"""`helmbroker audit`: what it shows, and its exit status."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from helmbroker.audit import Actor, Outcome, acting
from helmbroker.broker.cli import main
from helmbroker.broker.domain.audit import Event
from helmbroker.broker.settings import Settings
from helmbroker.broker.store.store import SqlStore
from helmbroker.sealing import Keys
from tests.unit.logs import logs_as_before

__all__ = ["logs_as_before"]
pytestmark = pytest.mark.usefixtures("logs_as_before")


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A broker of which the audit has three entries."""
    for name in Settings.model_fields:
        monkeypatch.delenv(f"HELMBROKER_{name.upper()}", raising=False)
    folder = tmp_path / "data"
    monkeypatch.setenv("HELMBROKER_DATA_DIR", str(folder))
    assert run("init").exit_code == 0
    store = SqlStore(f"sqlite:///{folder}/helmbroker.db", Keys.load(folder / "keys.json"))
    store.prepare()
    for number in range(3):
        with acting(Actor("platform:shop", "kubernetes:alice")), store.transaction() as tx:
            tx.tell(
                Event("provision", Outcome.ACCEPTED, f"i{number}", None, "provision:1", {"parameters": ["size"]})
            )
    store.close()
    return folder


def run(*words: str) -> Result:
    return CliRunner().invoke(main, words)


def test_entries_are_shown_for_people_and_for_programs(data: Path) -> None:
    (line,) = run("audit", "show", "--instance", "i1").stdout.splitlines()
    assert line.split("  ")[-1] == '{"parameters": ["size"]}'
    assert "provision accepted  i1  by platform:shop for kubernetes:alice" in line
    shown = [
        json.loads(each) for each in run("audit", "show", "--limit", "2", "--output", "json").stdout.splitlines()
    ]
    exported = [json.loads(each) for each in run("audit", "export").stdout.splitlines()]
    assert [each["seq"] for each in exported] == [1, 2, 3]
    assert shown == exported[1:]
    assert (shown[0]["operation_id"], shown[0]["binding_id"], shown[0]["origin"]) == (
        "provision:1",
        None,
        "kubernetes:alice",
    )


def test_an_audit_that_is_whole_gives_an_anchor(data: Path) -> None:
    result = run("audit", "verify", "--output", "json")
    told = json.loads(result.stdout)
    assert (result.exit_code, told["rows"], told["faults"]) == (0, 3, [])
    assert run("audit", "verify", "--anchor", told["last"]).exit_code == 0
    assert "3 entries, all as they were written" in run("audit", "verify").stdout
    wrong = run("audit", "verify", "--anchor", f"3:{'0' * 64}")
    assert (wrong.exit_code, wrong.stdout.splitlines()[0]) == (
        1,
        "row 3 is not the one of the anchor: the audit was written anew",
    )
    assert run("audit", "verify", "--anchor", "3").exit_code == 2


def test_an_audit_that_was_changed_is_told(data: Path) -> None:
    with sqlite3.connect(data / "helmbroker.db") as connection:
        connection.execute("DROP TRIGGER audit_no_delete")
        connection.execute("DELETE FROM audit WHERE seq = 2")
    connection.close()
    result = run("audit", "verify")
    assert result.exit_code == 1
    assert result.stdout.splitlines()[:2] == ["row 2 is missing: removed", "2 entries, NOT WHOLE"]
