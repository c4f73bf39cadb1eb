"""Accounts of tenants: the operator's file, and who has which."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from helmbroker.broker.cli import main
from helmbroker.broker.domain.tenants import NoAccount, Tenant, user
from helmbroker.broker.operator_files import BadFile, read_tenants
from helmbroker.broker.settings import Settings
from tests.unit.catalog.folders import write
from tests.unit.logs import logs_as_before

__all__ = ["logs_as_before"]
pytestmark = pytest.mark.usefixtures("logs_as_before")
TENANTS = (
    Tenant({"platform": "kubernetes", "namespace": "shop"}, "shop"),
    Tenant({"organization_guid": "o1"}, "first"),
)


def test_the_first_that_fits_counts_and_names_are_the_operators() -> None:
    assert user(TENANTS, {"platform": "kubernetes", "namespace": "shop", "organization_guid": "o1"}, "n") == (
        "system:serviceaccount:n:shop"
    )
    assert user(TENANTS, {"organization_guid": "o1", "more": [1]}, "n") == "system:serviceaccount:n:first"


@pytest.mark.parametrize(
    "context",
    [
        {},
        {"platform": "kubernetes"},
        {"namespace": "shop"},
        {"organization_guid": "shop"},
        {"organization_guid": ["o1"]},
    ],
)
def test_who_fits_nowhere_has_no_account(context: dict[str, object]) -> None:
    with pytest.raises(NoAccount):
        user(TENANTS, context, "n")  # type: ignore[arg-type]  # any JSON


def test_without_tenants_the_broker_acts_in_its_own_name() -> None:
    assert user((), {"organization_guid": "o1"}, "n") is None


def test_the_file(tmp_path: Path) -> None:
    path = tmp_path / "tenants.yaml"
    path.write_text("- context: {platform: kubernetes, namespace: shop}\n  account: shop\n- account: rest\n")
    assert read_tenants(path) == (TENANTS[0], Tenant({}, "rest"))
    assert read_tenants(None) == ()


@pytest.mark.parametrize(
    "content",
    [
        "[]",
        "a: b",
        "- {}",
        "- {account: A b}",
        "- {account: 'x:y'}",
        "- {account: a, context: {n: 1}}",
        "- {account: a, x: y}",
    ],
)
def test_a_file_that_is_wrong_names_the_place(tmp_path: Path, content: str) -> None:
    """An empty list would be no tenants at all, and so nobody's limits."""
    path = tmp_path / "tenants.yaml"
    path.write_text(content)
    with pytest.raises(BadFile, match=r"tenants\.yaml"):
        read_tenants(path)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"HELMBROKER_{name.upper()}", raising=False)
    write(tmp_path / "addons/demo")
    (tmp_path / "tenants.yaml").write_text("- {context: {namespace: shop}, account: shop}\n- account: rest\n")
    monkeypatch.setenv("HELMBROKER_ADDONS_DIR", str(tmp_path / "addons"))
    monkeypatch.setenv("HELMBROKER_TENANTS_FILE", str(tmp_path / "tenants.yaml"))
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["rights", "-o", "rules", *arguments])


def test_the_worker_may_impersonate_these_accounts_and_no_other(folder: Path) -> None:
    rules = yaml.safe_load(run().output)["namespaced"]
    rule = {
        "apiGroups": [""],
        "resources": ["serviceaccounts"],
        "verbs": ["impersonate"],
        "resourceNames": ["rest", "shop"],
    }
    assert rule in rules


def test_what_a_tenants_account_needs_is_what_helm_does(folder: Path) -> None:
    scopes = yaml.safe_load(run("--tenant", "--kind", "Service").output)
    assert list(scopes) == ["namespaced"]
    verbs = {resource: rule["verbs"] for rule in scopes["namespaced"] for resource in rule["resources"]}
    assert verbs["services"] == ["get", "list", "watch", "create", "patch", "delete"]
    assert "update" in verbs["secrets"]
    assert not {"events", "pods", "serviceaccounts", "resourcequotas"} & set(verbs)
