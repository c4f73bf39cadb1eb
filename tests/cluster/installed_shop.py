"""An app whose owner uses the installed product, known by the cluster and by nothing else."""

from __future__ import annotations

from helmbroker.kubeapi.port import Kube
from tests.addons.programs import kubectl
from tests.cluster.bridge import BridgeApi, Resource
from tests.cluster.rotating_shop import CACHE, DATABASE, Shop


def make_owner(kube: Kube, namespace: str) -> None:
    """A service account that may do everything with the resources of the app."""
    meta = {"name": "owner", "namespace": namespace}
    rule = {"apiGroups": ["helmbroker.io"], "resources": ["resources"], "verbs": ["get", "update", "delete"]}
    rbac = "rbac.authorization.k8s.io"
    kube.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta})
    kube.create({"apiVersion": f"{rbac}/v1", "kind": "Role", "metadata": meta, "rules": [rule]})
    role = {"apiGroup": rbac, "kind": "Role", "name": "owner"}
    subjects = [{"kind": "ServiceAccount", **meta}]
    binding = {"apiVersion": f"{rbac}/v1", "kind": "RoleBinding", "metadata": meta}
    kube.create({**binding, "roleRef": role, "subjects": subjects})


def shop_at(kube: Kube, namespace: str, port: int) -> Shop:
    """The owner's shop in `namespace`, by a port of the loopback that leads to the bridge."""
    token = kubectl("create", "token", "owner", "--namespace", namespace, "--duration", "1h").strip()
    bridge = BridgeApi(f"http://127.0.0.1:{port}", token)
    database, cache = (Resource(bridge, namespace, name) for name in (DATABASE, CACHE))
    return Shop(kube, namespace, bridge, database, cache)
