"""The contract of Kube.review: on the fake, and on a real cluster. Who is it, and may they?"""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest

from helmbroker.controller_bridge.access.kubernetes import KubeAuthority
from helmbroker.controller_bridge.model import Role
from helmbroker.kubeapi.port import Kube
from tests.cluster.reach import eventually
from tests.fakes.kube import FakeKube

RBAC = "rbac.authorization.k8s.io"


def token_of(kube: Kube, namespace: str, account: str) -> str:
    """A token of a new service account."""
    about: dict[str, Any] = {"name": account, "namespace": namespace}
    kube.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": about})
    if isinstance(kube, FakeKube):
        user = f"system:serviceaccount:{namespace}:{account}"
        kube.tokens["of-the-fake"] = {"username": user, "uid": "1", "groups": ["system:authenticated"]}
        return "of-the-fake"
    noted = {**about, "annotations": {"kubernetes.io/service-account.name": account}}
    kube.create(
        {"apiVersion": "v1", "kind": "Secret", "metadata": noted, "type": "kubernetes.io/service-account-token"}
    )

    def filled() -> str | None:
        secret = kube.get("Secret", namespace, account)
        return ((secret or {}).get("data") or {}).get("token")

    return base64.b64decode(eventually(filled, within_s=30)).decode()


def allow(kube: Kube, namespace: str, account: str, *verbs: str) -> None:
    """A Role with these verbs on the bridge's resources, and its binding."""
    rules = [{"apiGroups": ["helmbroker.io"], "resources": ["resources"], "verbs": list(verbs)}]
    about = {"name": account, "namespace": namespace}
    kube.create({"apiVersion": f"{RBAC}/v1", "kind": "Role", "metadata": about, "rules": rules})
    kube.create(
        {
            "apiVersion": f"{RBAC}/v1",
            "kind": "RoleBinding",
            "metadata": about,
            "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": account},
            "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": namespace}],
        }
    )


def test_nobodys_token(kube: Kube) -> None:
    assert KubeAuthority(kube).identify("canary-not-a-token") is None


@pytest.mark.parametrize(
    ("verbs", "roles"),
    [
        ((), set()),
        (("get",), {Role.VIEWER}),
        (("get", "update"), {Role.VIEWER, Role.MEMBER}),
        (("delete",), set(Role)),
        (("*",), set(Role)),
        (("create",), set()),
    ],
)
def test_rights_in_a_namespace_are_roles(
    kube: Kube, namespace: str, verbs: tuple[str, ...], roles: set[Role]
) -> None:
    token = token_of(kube, namespace, "alice")
    allow(kube, namespace, "alice", *(verbs or ("watch",)))
    identity = KubeAuthority(kube).identify(token)
    assert identity is not None
    assert identity.user == f"system:serviceaccount:{namespace}:alice"

    def found() -> set[Role] | None:
        user = KubeAuthority(kube).identify(token)
        may = {role for role in Role if user is not None and user.may(namespace, role)}
        return may if may == roles else None

    assert eventually(found, within_s=20) == roles
    for other in ("default", "no-such-namespace", "../kube-system"):
        assert not any(identity.may(other, role) for role in Role)


def test_answers_are_kept_for_half_a_minute() -> None:
    kube, clock = FakeKube("shop"), [0.0]
    token = token_of(kube, "shop", "alice")
    allow(kube, "shop", "alice", "get")
    authority = KubeAuthority(kube, clock=lambda: clock[0])

    def may() -> list[bool]:
        user = authority.identify(token)
        return [] if user is None else [user.may("shop", role) for role in Role]

    calls: Callable[[], int] = lambda: len([call for call in kube.calls if call[0] == "review"])  # noqa: E731
    assert may() == [True, False, False]
    asked = calls()
    assert may() == [True, False, False]
    assert calls() == asked
    kube.delete("RoleBinding", "shop", "alice")
    clock[0] = 31.0
    assert may() == [False, False, False]
    del kube.tokens[token]
    clock[0] = 62.0
    assert may() == []
