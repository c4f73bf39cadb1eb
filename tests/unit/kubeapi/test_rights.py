"""Rights as RBAC has them."""

from __future__ import annotations

import pytest

from helmbroker.kubeapi.rights import Account, Right, Scope, by_scope, objects, right, rules

SOME = (
    right("Secret", "list", "a"),
    right("Secret", "create get", "b"),
    right("ConfigMap", "get list create", "c"),
    right("Deployment", "get list create", "d"),
    right("Node", "list", "e", Scope.EVERYWHERE),
    right("TokenReview", "create", "f", Scope.CLUSTER),
)
ACCOUNT = Account("home", "worker")


def test_each_resource_is_named_once_beside_those_of_its_group_with_the_same_verbs() -> None:
    assert rules(SOME[:4]) == [
        {"apiGroups": [""], "resources": ["configmaps", "secrets"], "verbs": ["get", "list", "create"]},
        {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get", "list", "create"]},
    ]


def test_a_part_and_names_stay_apart() -> None:
    named = Right("", "configmaps", frozenset({"get"}), "why", names=frozenset({"b", "a"}))
    assert rules([right("Pod", "patch", "why", part="status"), named, right("ConfigMap", "list", "why")]) == [
        {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["list"]},
        {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"], "resourceNames": ["a", "b"]},
        {"apiGroups": [""], "resources": ["pods/status"], "verbs": ["patch"]},
    ]


def test_in_namespaces_there_are_roles_and_of_the_cluster_only_what_is_nowhere_else() -> None:
    made = [
        (each["kind"], each["metadata"].get("namespace"), len(each.get("rules", ())))
        for each in objects("it", SOME, ["one", "two"], ACCOUNT, {Scope.CLUSTER})
    ]
    assert made == [
        ("Role", "one", 2),
        ("RoleBinding", "one", 0),
        ("Role", "two", 2),
        ("RoleBinding", "two", 0),
        ("ClusterRole", None, 1),
        ("ClusterRoleBinding", None, 0),
    ]


def test_for_all_namespaces_one_role_of_the_cluster_has_everything() -> None:
    role, binding = objects("it", SOME, (), ACCOUNT, set(Scope))
    assert (role["kind"], len(role["rules"])) == ("ClusterRole", 4)
    assert binding["roleRef"] == {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "it"}
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "worker", "namespace": "home"}]


def test_a_scope_without_rights_is_left_out() -> None:
    assert list(by_scope(SOME)) == ["namespaced", "everywhere", "cluster"]
    assert list(by_scope(SOME[:4])) == ["namespaced"]


def test_rare_verbs_come_last() -> None:
    assert rules([right("Secret", "impersonate deletecollection get", "why")])[0]["verbs"] == [
        "get",
        "deletecollection",
        "impersonate",
    ]


def test_there_is_no_wildcard() -> None:
    for each in (
        right("Secret", "get *", "why"),
        Right("*", "secrets", frozenset(), ""),
        Right("", "*", frozenset(), ""),
    ):
        with pytest.raises(ValueError, match="a right has no wildcard"):
            rules([each])
    with pytest.raises(ValueError, match="not in the table"):
        right("*", "get", "why")
