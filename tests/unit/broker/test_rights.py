"""What the broker's worker needs in the cluster: rows for what it does, and for what charts make."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from helmbroker.broker.cli import main
from helmbroker.broker.gate import Grants, Rule
from helmbroker.broker.rights import rights
from helmbroker.broker.settings import Settings
from helmbroker.catalog.made import Made, MadeKind
from helmbroker.kubeapi.rights import Right
from tests.calls import calls, verbs_of
from tests.unit.catalog.folders import write
from tests.unit.logs import logs_as_before

__all__ = ["logs_as_before"]
pytestmark = pytest.mark.usefixtures("logs_as_before")
NOTHING = Made(frozenset(), frozenset(), unclear=False)
ALL = ["get", "list", "watch", "create", "patch", "delete"]


def given(found: Iterable[Right], resource: str) -> set[str]:
    """All verbs on a resource."""
    return {verb for each in found if each.resource == resource for verb in each.verbs}


def of_charts(*kinds: MadeKind, grants: Grants | None = None) -> list[Right]:
    made = Made(frozenset(kinds), frozenset(), unclear=False)
    return rights({"demo": made}, {} if grants is None else {"demo": grants})


def test_every_call_of_the_worker_to_the_cluster_has_a_row() -> None:
    """Those whose kind stands in the code; the audit of a real cluster tells the rest."""
    found = calls(Path("helmbroker/broker/kube"))
    assert len(found) > 15, "the calls were found"
    table = of_charts(MadeKind("Deployment", "apps", hook=False))
    assert {call for call in found if not verbs_of(call) <= given(table, call.resource)} == set()


def test_kinds_of_charts_are_applied_watched_where_they_are_hooks_and_never_updated() -> None:
    found = of_charts(MadeKind("Service", "", hook=False), MadeKind("CronJob", "batch", hook=True))
    assert given(found, "services") == {*ALL} - {"watch"}
    assert given(found, "cronjobs") == {*ALL}
    assert given(found, "deployments") == {"list"}


def test_a_deployment_brings_its_replica_sets() -> None:
    assert given(of_charts(MadeKind("Service", "", hook=False)), "replicasets") == set()
    assert given(of_charts(MadeKind("Deployment", "apps", hook=False)), "replicasets") == {"list"}


def test_what_the_gate_refuses_needs_no_rights() -> None:
    node, foreign = (
        MadeKind("ClusterRole", "rbac.authorization.k8s.io", hook=False),
        MadeKind("Job", "volcano.sh", hook=False),
    )
    found = of_charts(node, foreign)
    assert given(found, "clusterroles") == set()
    assert "create" not in given(found, "jobs")


def test_a_template_that_works_out_its_kind_may_make_all_that_the_gate_allows() -> None:
    unclear = Made(frozenset(), frozenset(), unclear=True)
    found = rights({"demo": unclear}, {"demo": Grants(kinds=frozenset({"apps/DaemonSet"}))})
    for resource in ("deployments", "cronjobs", "rolebindings", "serviceaccounts", "daemonsets"):
        assert given(found, resource) >= {"create", "patch", "delete", "watch"}


def test_a_granted_kind_that_is_not_in_our_table_is_named_as_kubernetes_guesses() -> None:
    kinds = ("monitoring.coreos.com/ServiceMonitor", "gateway.networking.k8s.io/Proxy", "example.org/Redis")
    found = rights({}, {}, kinds)
    asked = {(each.group, each.resource) for each in found if "create" in each.verbs}
    assert asked >= {
        ("monitoring.coreos.com", "servicemonitors"),
        ("gateway.networking.k8s.io", "proxies"),
        ("example.org", "redises"),
    }
    assert given(found, "servicemonitors") == {*ALL}


def test_a_grant_that_names_nothing_gives_nothing() -> None:
    found = rights(
        {"demo": Made(frozenset(), frozenset(), unclear=True)}, {"demo": Grants(kinds=frozenset({"*/Job"}))}
    )
    assert "*" not in {each.group for each in found}


def test_only_what_charts_may_make_may_be_looked_up_besides() -> None:
    looking = Made(
        frozenset(), frozenset({("", "ServiceAccount"), ("", "Node"), ("example.org", "Secret")}), unclear=False
    )
    found = rights({"demo": looking}, {})
    assert given(found, "serviceaccounts") == {"get", "list"}
    assert [each.scope for each in found if each.resource == "nodes"] == ["everywhere"] * 2
    assert {each.group for each in found if each.resource == "secrets"} == {""}


def test_what_is_granted_to_roles_of_an_addon_the_worker_must_have() -> None:
    """Kubernetes refuses Roles with rights that their maker has not."""
    rule = Rule.of(
        {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["update"], "resourceNames": ["leader"]}
    )
    found = rights({"demo": NOTHING}, {"demo": Grants(rbac=(rule,))})
    (row,) = (each for each in found if "update" in each.verbs and each.resource == "configmaps")
    assert row.names == {"leader"}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"HELMBROKER_{name.upper()}", raising=False)
    write(tmp_path / "addons/demo")
    monkeypatch.setenv("HELMBROKER_ADDONS_DIR", str(tmp_path / "addons"))
    monkeypatch.setenv("HELMBROKER_DATA_DIR", str(tmp_path / "data"))
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["rights", *arguments])


def test_roles_are_for_the_namespace_of_the_instances(folder: Path) -> None:
    role, binding = yaml.safe_load_all(run("--account", "home/worker").output)
    assert (role["kind"], role["metadata"]) == (
        "Role",
        {"name": "helmbroker-worker", "namespace": "helmbroker-instances"},
    )
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "worker", "namespace": "home"}]
    assert not (folder / "data").exists(), "nothing is made"


def test_in_several_namespaces(folder: Path) -> None:
    several = list(yaml.safe_load_all(run("--account", "h/w", "--namespace", "a", "--namespace", "b").output))
    assert [each["metadata"]["namespace"] for each in several] == ["a", "a", "b", "b"]


def test_for_apps_in_all_namespaces_instances_stay_in_theirs(folder: Path) -> None:
    """As the chart's rights.mode: all does: nobody gets the Secrets of the whole cluster for a look at nodes."""
    asked = ("--account", "h/w", "--all-namespaces")
    role, _, cluster, _ = yaml.safe_load_all(run(*asked).output)
    assert (role["kind"], role["metadata"]["namespace"]) == ("Role", "helmbroker-instances")
    assert cluster["kind"] == "ClusterRole"
    rules = yaml.safe_load(run("-o", "rules").output)
    assert (role["rules"], cluster["rules"]) == (rules["namespaced"], rules["everywhere"])
    assert {name for rule in cluster["rules"] for name in rule["resources"]} == {"nodes", "pods"}
    tenant = [each["kind"] for each in yaml.safe_load_all(run("--tenant", *asked).output)]
    assert tenant == ["Role", "RoleBinding"]


def test_rules_alone_are_as_the_chart_takes_them(folder: Path) -> None:
    said = yaml.safe_load(run("-o", "rules", "--kind", "apps/DaemonSet").output)
    assert list(said) == ["namespaced", "everywhere"]
    assert {"apiGroups": ["apps"], "resources": ["daemonsets"], "verbs": ALL} in said["namespaced"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), "say --account NAMESPACE/NAME: whose rights these are to be"),
        (("-o", "rules", "--kind", "*/Job"), "*/Job is no GROUP/KIND"),
        (("--account", "worker"), "say --account NAMESPACE/NAME"),
        (("--account", "a/b", "--namespace", "x", "--all-namespaces"), "name namespaces, or say --all-namespaces"),
    ],
)
def test_what_is_missing_is_said(folder: Path, arguments: tuple[str, ...], sentence: str) -> None:
    said = run(*arguments)
    assert (said.exit_code, sentence in said.stderr) == (2, True)


def test_what_cannot_be_read_is_not_left_out_in_silence(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "addons/broken").mkdir()
    (folder / "addons/broken/addon.yaml").write_text("nothing: of it")
    said = run("-o", "rules")
    assert (said.exit_code, said.stderr) == (0, "helmbroker: addons/broken is not offered, and left out\n")
    (folder / "sources.yaml").write_text("sources:\n  - {name: away, kind: archive, location: /nowhere.tgz}\n")
    monkeypatch.setenv("HELMBROKER_SOURCES_FILE", str(folder / "sources.yaml"))
    said = run("-o", "rules")
    assert (said.exit_code, said.stdout) == (1, "")
    assert "these sources cannot be had: away" in said.stderr
