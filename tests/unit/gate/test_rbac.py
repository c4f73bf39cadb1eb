"""Roles of charts: granted rules within the namespace, and nothing that leads further."""

from __future__ import annotations

from typing import Any

import pytest

from helmbroker.broker.gate import Grants
from helmbroker.broker.gate.rbac import Rule
from tests.unit.gate.manifests import RELEASE, found, obj, told


def rule(groups: str = "", resources: str = "pods", verbs: str = "get", names: str = "") -> dict[str, Any]:
    given = {"apiGroups": groups.split(","), "resources": resources.split(","), "verbs": verbs.split(",")}
    return {**given, "resourceNames": names.split(",")} if names else given


def granting(*rules: dict[str, Any]) -> Grants:
    return Grants(rbac=tuple(map(Rule.of, rules)))


EVERYTHING = granting(
    rule(",apps", "pods,secrets,configmaps,endpoints,deployments", "get,list,watch,create,update,patch,delete")
)


@pytest.mark.bug(13)
def test_rights_have_to_be_granted() -> None:
    (violation,) = found(obj("Role", rules=[rule(verbs="get,list")]))
    assert (violation.field, violation.rule) == ("rules[0]", "these rights are not granted")
    assert violation.grant == 'rbac: [{apiGroups: [""], resources: [pods], verbs: [get, list]}]'


@pytest.mark.parametrize(
    ("given", "wanted", "enough"),
    [
        (rule(verbs="get,list,watch"), rule(verbs="get,watch"), True),
        (rule(verbs="get"), rule(verbs="get,list"), False),
        (rule(resources="pods"), rule(resources="pods,endpoints"), False),
        (rule(groups=","), rule(groups="apps"), False),
        (rule(names="a,b"), rule(names="a"), True),
        (rule(names="a"), rule(names="a,b"), False),
        (rule(names="a"), rule(), False),
        (rule(), rule(names="a"), True),
    ],
)
def test_a_rule_covers_what_it_is_wider_than(given: dict[str, Any], wanted: dict[str, Any], enough: bool) -> None:
    assert (found(obj("Role", rules=[wanted]), grants=granting(given)) == []) == enough


@pytest.mark.bug(13)
@pytest.mark.parametrize(
    "wanted",
    [
        rule(resources="secrets"),
        rule(resources="secrets", names="hb-other"),
        rule(resources="secrets", names=f"{RELEASE},hb-other"),
        rule(resources="secrets,pods", verbs="list"),
        rule(verbs="*"),
        rule(resources="*"),
        rule(groups="*"),
        rule(resources="pods/exec", verbs="create"),
        rule(resources="pods/attach", verbs="create"),
        rule(resources="pods/ephemeralcontainers", verbs="patch"),
        rule(resources="serviceaccounts/token", verbs="create"),
        rule(resources="serviceaccounts", verbs="impersonate"),
        rule("rbac.authorization.k8s.io", "roles", "escalate"),
        rule("rbac.authorization.k8s.io", "rolebindings", "create"),
        rule("rbac.authorization.k8s.io", "clusterroles", "bind"),
        rule(resources="pods", verbs="create"),
        rule("apps", "deployments", "patch"),
        rule("batch", "jobs", "create"),
    ],
)
def test_what_no_grant_allows(wanted: dict[str, Any]) -> None:
    violations = found(obj("Role", rules=[wanted]), grants=granting(wanted))
    assert violations
    assert all(each.grant == "" for each in violations)


def test_secrets_of_its_own() -> None:
    wanted = obj("Role", rules=[rule(resources="secrets", names=f"{RELEASE},{RELEASE}-admin")])
    assert found(wanted, grants=EVERYTHING) == []
    assert found(wanted) != []


def test_addresses_of_the_server() -> None:
    fields = [field for field, _ in told(obj("Role", rules=[rule() | {"nonResourceURLs": ["/metrics"]}]))]
    assert "rules[0].nonResourceURLs" in fields


def _binding(role: dict[str, str] | None = None, **subject: str) -> dict[str, Any]:
    subjects = [{"kind": "ServiceAccount", "name": RELEASE} | subject]
    return obj("RoleBinding", roleRef=role or {"kind": "Role", "name": RELEASE}, subjects=subjects)


@pytest.mark.bug(13)
@pytest.mark.parametrize(
    ("binding", "field"),
    [
        (_binding({"kind": "ClusterRole", "name": "cluster-admin"}), "roleRef"),
        (_binding({"kind": "Role", "name": "of-another"}), "roleRef"),
        (_binding(kind="User", name="system:anonymous"), "subjects[0].kind"),
        (_binding(kind="Group", name="system:authenticated"), "subjects[0].kind"),
        (_binding(namespace="kube-system"), "subjects[0].namespace"),
        (_binding(name="default"), "subjects[0].name"),
        (_binding(name="helmbroker"), "subjects[0].name"),
    ],
)
def test_bindings_give_own_roles_to_own_accounts(binding: dict[str, Any], field: str) -> None:
    role = obj("Role", rules=[])
    assert [each for each, _ in told(role, binding, grants=EVERYTHING)] == [field]
    assert told(role, _binding()) == []
