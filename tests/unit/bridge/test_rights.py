"""What the bridge needs in the cluster."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from helmbroker.controller_bridge.cli import main
from helmbroker.controller_bridge.rights import rights, watch_rights
from helmbroker.controller_bridge.settings import Settings
from tests.calls import calls, verbs_of
from tests.unit.logs import logs_as_before

__all__ = ["logs_as_before"]
pytestmark = pytest.mark.usefixtures("logs_as_before")


@pytest.mark.parametrize(
    ("folder", "table", "most"),
    [("apps", rights("standalone"), 15), ("watch", watch_rights(), 1)],
    ids=["apps", "watch"],
)
def test_every_call_to_the_cluster_has_a_row(folder: str, table: object, most: int) -> None:
    assert isinstance(table, tuple)
    found = calls(Path("helmbroker/controller_bridge") / folder)
    assert len(found) >= most, "the calls were found"
    given = {(each.resource, verb) for each in table for verb in each.verbs}
    assert {call for call in found if not {(call.resource, verb) for verb in verbs_of(call)} <= given} == set()


def test_each_platform_has_what_it_needs() -> None:
    resources = {name: {each.resource for each in rights(name)} for name in ("standalone", "kubernetes", "drycc")}
    assert resources["kubernetes"] - resources["standalone"] == {"tokenreviews", "subjectaccessreviews"}
    assert resources["drycc"] == {"secrets"}
    assert {verb for each in rights("drycc") for verb in each.verbs} == {"get"}


@pytest.fixture(autouse=True)
def _unset(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"HELMBROKER_BRIDGE_{name.upper()}", raising=False)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["rights", *arguments])


def test_roles_in_the_namespaces_of_apps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HELMBROKER_BRIDGE_PLATFORM", "kubernetes")
    made = list(yaml.safe_load_all(run("--account", "h/b", "--namespace", "shop", "--namespace", "blog").output))
    found = [(each["kind"], each["metadata"].get("namespace")) for each in made]
    assert found[::2] == [("Role", "shop"), ("Role", "blog"), ("ClusterRole", None)]
    said = run("--account", "h/b")
    assert (said.exit_code, "name at least one --namespace" in said.stderr) == (2, True)


def test_watch_has_rights_of_its_own_in_the_namespaces_that_it_watches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HELMBROKER_BRIDGE_WATCH_NAMESPACES", "shop,blog")
    made = list(yaml.safe_load_all(run("--watch", "--account", "h/b").output))
    assert [each["metadata"]["name"] for each in made] == ["helmbroker-watch"] * 6
    assert [each["metadata"].get("namespace") for each in made[::2]] == ["shop", "blog", None]
