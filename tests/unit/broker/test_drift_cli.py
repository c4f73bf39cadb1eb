"""`helmbroker doctor` and its like: what they say, and with which exit status, when they cannot or must not."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from helmbroker.broker import checkup_wiring, wiring
from helmbroker.broker.cli import main
from helmbroker.broker.domain.drift import Finding, FindingKind
from helmbroker.broker.domain.naming import ReleaseRef
from helmbroker.broker.domain.operation import Kind
from helmbroker.broker.drift_cli import follow
from helmbroker.broker.service.checkup import Area, Symptom
from helmbroker.broker.service.restore import Restored
from helmbroker.broker.settings import Settings
from tests.fakes.cluster import FakeCluster
from tests.unit.catalog.folders import write
from tests.unit.logs import logs_as_before

__all__ = ["logs_as_before"]
pytestmark = pytest.mark.usefixtures("logs_as_before")

LOST = Finding(FindingKind.LOST, "instance i", "its Helm release is gone. Cure.", "i")
ORPHAN = Finding(FindingKind.ORPHAN, "release n/hb-x", "without a record. Cure.")


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"HELMBROKER_{name.upper()}", raising=False)
    write(tmp_path / "addons/demo")
    monkeypatch.setenv("HELMBROKER_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("HELMBROKER_ADDONS_DIR", str(tmp_path / "addons"))
    monkeypatch.setenv("HELMBROKER_HELM", str(tmp_path / "no-helm"))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "no-kubeconfig"))
    assert run("init").exit_code == 0
    return tmp_path / "data"


def run(*arguments: str, given: str | None = None) -> Result:
    return CliRunner().invoke(main, arguments, input=given)


class Check:
    """What a check finds."""

    def __init__(self, *found: Finding) -> None:
        self.found = list(found)
        self.wrong: list[Symptom] = []

    def check(self) -> list[Finding]:
        return self.found

    def orphans(self) -> list[ReleaseRef]:
        return []


class Restores:
    """What comes back, and what does not."""

    def rebuild(self, _namespaces: Sequence[str], _broker_id: str | None) -> Restored:
        return Restored(["instance i"], ["binding b: its addon is gone"])

    def adopt(self, _ref: ReleaseRef) -> Restored:
        return self.rebuild((), None)


@pytest.fixture
def found(data: Path, monkeypatch: pytest.MonkeyPatch) -> Check:
    made = Check()
    monkeypatch.setattr(wiring, "make_drift_check", lambda _settings, _store: made)
    monkeypatch.setattr(checkup_wiring, "symptoms", lambda _settings, _store: made.wrong)
    return made


def test_without_a_cluster_nothing_can_be_looked_at(data: Path) -> None:
    result = run("doctor")
    assert result.exit_code == 2
    assert result.stderr.startswith("helmbroker: ")
    kinds = [line.split()[0] for line in result.stdout.splitlines() if not line.startswith(" ")]
    assert kinds == ["workers", "helm", "cluster"]


def test_without_a_data_directory_too(data: Path) -> None:
    (data / "keys.json").unlink()
    result = run("doctor")
    assert (result.exit_code, "there is no key ring" in result.stderr) == (2, True)


def test_nothing_differs(found: Check) -> None:
    result = run("doctor")
    assert (result.exit_code, result.output) == (0, "records and cluster agree\n")
    assert run("doctor", "--repair").exit_code == 0


def test_what_differs_is_shown(found: Check) -> None:
    found.found = [LOST, ORPHAN]
    result = run("doctor")
    assert result.exit_code == 1
    assert "lost          instance i\n              its Helm release is gone. Cure." in result.output
    result = run("doctor", "--output", "json", "--kind", "orphan")
    assert result.output == (
        '{"kind": "orphan", "subject": "release n/hb-x", "detail": "without a record. Cure.", "instance": null}\n'
    )
    assert run("doctor", "--instance", "j").exit_code == 0


def test_what_is_wrong_in_the_installation_is_shown(found: Check) -> None:
    """In the same words, and not where only differences are asked for."""
    found.wrong = [Symptom(Area.WORKERS, "workers", "no worker lives. Start one")]
    result = run("doctor", "-o", "json")
    told = {"kind": "workers", "subject": "workers", "detail": "no worker lives. Start one", "instance": None}
    assert json.loads(result.output) == told
    assert (result.exit_code, run("doctor", "--kind", "lost").exit_code) == (1, 0)
    assert "workers       workers\n              no worker lives. Start one" in run("doctor").output


def test_a_repair_is_asked_for(found: Check) -> None:
    found.found = [LOST]
    result = run("doctor", "--repair", given="n\n")
    assert (result.exit_code, "Repair 1 of 1? [y/N]" in result.stderr) == (1, True)
    assert "being worked on" not in result.stderr


def test_what_has_no_record_is_not_repaired(found: Check) -> None:
    """The exit status says that something is left."""
    found.found = [LOST, ORPHAN]
    result = run("doctor", "--repair", "--yes")
    assert (result.exit_code, "instance i: is being worked on" in result.stderr) == (1, True)
    found.found = [ORPHAN]
    assert run("doctor", "--repair").exit_code == 1


def test_what_became_of_repairs_is_told_as_the_rest_is(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`-o json` is read by programs, to the last line."""
    store = wiring.make_store(Settings())
    with store.transaction() as tx:
        done = tx.ended(Kind.REPAIR, "i", None, succeeded=True, description="it is as it is recorded")
    assert follow(store, [done.id, "repair:forgotten"], "json") is False
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert first == {"operation": done.id, "state": "succeeded", "description": "it is as it is recorded"}
    assert second == {"operation": "repair:forgotten", "state": "unknown", "description": ""}
    assert follow(store, [done.id], "text") is True
    assert capsys.readouterr().out == f"{done.id}: succeeded: it is as it is recorded\n"
    store.close()


@pytest.mark.parametrize("command", [["rebuild"], ["adopt", "hb-x", "--yes"]])
def test_what_came_back_is_told_to_people_and_programs(
    data: Path, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    monkeypatch.setattr(wiring, "make_restore", lambda _settings, _store: Restores())
    people, programs = run(*command), run(*command, "-o", "json")
    assert people.stdout.splitlines()[0] == "restored  instance i"
    assert people.stderr == "left out  binding b: its addon is gone\n"
    assert list(map(json.loads, programs.stdout.splitlines())) == [
        {"restored": "instance i"},
        {"left_out": "binding b: its addon is gone"},
    ]
    assert (people.exit_code, programs.exit_code, programs.stderr) == (0, 0, "")


@pytest.mark.parametrize(("form", "told"), [("text", "there are no orphans\n"), ("json", "")])
def test_a_purge_without_orphans_does_nothing(
    found: Check, monkeypatch: pytest.MonkeyPatch, form: str, told: str
) -> None:
    monkeypatch.setattr(wiring, "make_cluster", lambda _settings: FakeCluster())
    result = run("purge", "--all-orphans", "-o", form)
    assert (result.exit_code, result.output) == (0, told)


@pytest.mark.parametrize("arguments", [[], ["hb-x", "--all-orphans"]])
def test_a_purge_needs_one_of_two(data: Path, arguments: list[str]) -> None:
    result = run("purge", *arguments)
    assert (result.exit_code, "name one Helm release, or say --all-orphans" in result.stderr) == (2, True)


@pytest.mark.parametrize("command", [["rebuild"], ["adopt", "hb-x", "--yes"], ["purge", "hb-x", "--yes"]])
def test_without_a_cluster_nothing_is_done(data: Path, command: list[str]) -> None:
    result = run(*command)
    assert (result.exit_code, result.stderr.startswith("helmbroker: ")) == (1, True), result.output
