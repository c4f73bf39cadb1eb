"""Accounts with few rights, for tests that few rights suffice."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from pathlib import Path

import yaml

from helmbroker.kubeapi.client import KubeClient
from helmbroker.kubeapi.port import Obj
from tests.cluster.reach import eventually, pause


def account(kube: KubeClient, namespace: str, rules: Sequence[Obj], tmp_path: Path) -> Path:
    """A kubeconfig of somebody who has these rights in the namespace, and no others. Secrets must be among them."""
    meta: Callable[[str], Obj] = lambda name: {"name": name, "namespace": namespace}  # noqa: E731
    group = "rbac.authorization.k8s.io"
    kube.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta("bridge")})
    kube.create({"apiVersion": f"{group}/v1", "kind": "Role", "metadata": meta("bridge"), "rules": list(rules)})
    subjects = [{"kind": "ServiceAccount", "name": "bridge", "namespace": namespace}]
    role = {"apiGroup": group, "kind": "Role", "name": "bridge"}
    binding = {"apiVersion": f"{group}/v1", "kind": "RoleBinding", "metadata": meta("bridge")}
    kube.create({**binding, "roleRef": role, "subjects": subjects})
    asked = {**meta("token"), "annotations": {"kubernetes.io/service-account.name": "bridge"}}
    kube.create(
        {"apiVersion": "v1", "kind": "Secret", "metadata": asked, "type": "kubernetes.io/service-account-token"}
    )

    def issued() -> Obj | None:
        secret = kube.get("Secret", namespace, "token")
        data: Obj = (secret or {}).get("data") or {}
        return data if "token" in data else None

    data = eventually(issued, within_s=30)
    cluster = {"server": kube.server_url, "certificate-authority-data": data["ca.crt"]}
    content = {
        "current-context": "it",
        "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
        "clusters": [{"name": "it", "cluster": cluster}],
        "users": [{"name": "it", "user": {"token": base64.b64decode(data["token"]).decode()}}],
    }
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(content))
    client = KubeClient.from_environment(str(path))

    def accepted() -> bool | None:
        pause(0.1)
        return True if client.list("Secret", namespace) else None

    eventually(accepted, within_s=30)
    client.close()
    return path
