"""The contract of Kube.review: on the fake, and on a real cluster. Who is it, and may they?"""

from __future__ import annotations

import base64
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

    return base64.b64decode(eventually(filled, within_s=60)).decode()


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
    ("verbs", "role"),
    [
        (("get",), Role.VIEWER),
        (("get", "update"), Role.MEMBER),
        (("delete",), Role.ADMIN),
        (("*",), Role.ADMIN),
        (("create",), None),
    ],
)
def test_rights_in_a_namespace_are_roles(
    kube: Kube, namespace: str, verbs: tuple[str, ...], role: Role | None
) -> None:
    token = token_of(kube, namespace, "alice")
    allow(kube, namespace, "alice", *verbs)
    identity = KubeAuthority(kube).identify(token)
    assert identity is not None
    assert identity.user == f"system:serviceaccount:{namespace}:alice"

    def as_given() -> bool | None:
        user = KubeAuthority(kube).identify(token)
        return True if user is not None and user.role_in(namespace) is role else None

    assert eventually(as_given, within_s=60)
    for other in ("default", "no-such-namespace", "../kube-system"):
        assert identity.role_in(other) is None


def test_answers_are_kept_for_half_a_minute() -> None:
    kube, clock = FakeKube("shop"), [0.0]
    token = token_of(kube, "shop", "alice")
    allow(kube, "shop", "alice", "get")
    authority = KubeAuthority(kube, clock=lambda: clock[0])

    def role() -> Role | None:
        user = authority.identify(token)
        return None if user is None else user.role_in("shop")

    assert role() is Role.VIEWER
    asked = len(kube.calls)
    assert role() is Role.VIEWER
    assert len(kube.calls) == asked
    kube.delete("RoleBinding", "shop", "alice")
    clock[0] = 31.0
    assert role() is None
    assert authority.identify(token) is not None
    del kube.tokens[token]
    clock[0] = 62.0
    assert authority.identify(token) is None
