"""Service accounts with few rights, for tests that few rights suffice."""

from __future__ import annotations

import base64
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import yaml

from helmbroker.kubeapi.client import KubeClient
from helmbroker.kubeapi.errors import Forbidden, Unauthorized
from helmbroker.kubeapi.port import Kube, Obj
from helmbroker.kubeapi.rights import GROUP
from tests.cluster.broker import CHECKOUT
from tests.cluster.reach import eventually

BROKER, BRIDGE = "helmbroker.broker", "helmbroker.controller_bridge"


def printed(module: str, *arguments: str, **settings: str) -> list[Obj]:
    """What `rights` of a program prints for the addons of the checkout."""
    command = [sys.executable, "-m", module, "rights", *arguments]
    done = subprocess.run(command, env=settings, cwd=CHECKOUT, check=True, capture_output=True, text=True)
    return list(yaml.safe_load_all(done.stdout))


def account(kube: KubeClient, namespace: str, rules: Sequence[Obj], tmp_path: Path) -> Path:
    """A kubeconfig of somebody who has these rights in the namespace, and no others. Secrets must be among them."""
    path = service_account(kube, namespace, "bridge", tmp_path / "kubeconfig")
    metadata = {"name": "bridge", "namespace": namespace}
    kube.create({"apiVersion": f"{GROUP}/v1", "kind": "Role", "metadata": metadata, "rules": list(rules)})
    subjects = [{"kind": "ServiceAccount", "name": "bridge", "namespace": namespace}]
    role = {"apiGroup": GROUP, "kind": "Role", "name": "bridge"}
    binding = {"apiVersion": f"{GROUP}/v1", "kind": "RoleBinding", "metadata": metadata}
    kube.create({**binding, "roleRef": role, "subjects": subjects})
    client = KubeClient.from_environment(str(path))

    def accepted() -> bool | None:
        try:
            return bool(client.list("Secret", namespace)) or None
        except Forbidden:  # the server has not heard of the Role yet
            return None

    eventually(accepted, within_s=60)
    client.close()
    return path


def service_account(kube: KubeClient, namespace: str, name: str, path: Path) -> Path:
    """A kubeconfig, written to `path`, of a new service account that may do nothing yet."""
    kube.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": namespace}})
    about = {"kubernetes.io/service-account.name": name}
    metadata = {"name": f"{name}-token", "namespace": namespace, "annotations": about}
    token = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata}
    kube.create({**token, "type": "kubernetes.io/service-account-token"})

    def issued() -> Obj | None:
        secret = kube.get("Secret", namespace, f"{name}-token")
        data: Obj = (secret or {}).get("data") or {}
        return data if "token" in data else None

    data = eventually(issued, within_s=60)
    cluster = {"server": kube.server_url, "certificate-authority-data": data["ca.crt"]}
    content = {
        "current-context": "it",
        "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
        "clusters": [{"name": "it", "cluster": cluster}],
        "users": [{"name": "it", "user": {"token": base64.b64decode(data["token"]).decode()}}],
    }
    path.write_text(yaml.safe_dump(content))
    client = KubeClient.from_environment(str(path))

    def known() -> bool | None:
        try:
            return bool(client.server_version())
        except Unauthorized:
            return None

    eventually(known, within_s=60)
    client.close()
    return path


def token_in(path: Path) -> str:
    """The token of a kubeconfig as they are made here."""
    (user,) = yaml.safe_load(path.read_text())["users"]
    return str(user["user"]["token"])


@contextmanager
def given(kube: Kube, roles: Iterable[Obj], unique: str) -> Iterator[None]:
    """Roles and their bindings exist meanwhile; those of the whole cluster under a name of their own."""
    made = [each if "namespace" in each["metadata"] else _renamed(each, unique) for each in roles]
    for each in made:
        kube.create(each)
    try:
        yield
    finally:
        for each in reversed(made):
            kube.delete(each["kind"], each["metadata"].get("namespace"), each["metadata"]["name"])


def _renamed(role: Obj, unique: str) -> Obj:
    metadata = {**role["metadata"], "name": f"{role['metadata']['name']}-{unique}"}
    if "roleRef" not in role:
        return {**role, "metadata": metadata}
    return {**role, "metadata": metadata, "roleRef": {**role["roleRef"], "name": metadata["name"]}}
