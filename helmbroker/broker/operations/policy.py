"""The gate: what a chart may create. Tenants' parameters must not become rights in the cluster. Pure.

Kinds and their API groups from a list, nothing outside the namespace, pods within the "baseline" of the Pod
Security Standards (stricter where charts have no need), and no reading of what belongs to other instances.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from helmbroker.broker.operations.pod_policy import breaches_of_pod
from helmbroker.catalog.documents import check_depth

# kind -> its API group: a kind of the same name in another group (Volcano's Job, Knative's Service) is not it
ALLOWED = {
    "ConfigMap": "",
    "CronJob": "batch",
    "Deployment": "apps",
    "Job": "batch",
    "NetworkPolicy": "networking.k8s.io",
    "PersistentVolumeClaim": "",
    "PodDisruptionBudget": "policy",
    "Secret": "",
    "Service": "",
    "ServiceAccount": "",
    "StatefulSet": "apps",
}
_SECRET_TYPES = frozenset({"Opaque", "kubernetes.io/tls", "kubernetes.io/basic-auth", "kubernetes.io/ssh-auth"})
_SERVICE_TYPES = frozenset({"ClusterIP"})  # the others open ports of hosts, or lead out of the cluster
_PUBLIC = frozenset({("ConfigMap", "kube-root-ca.crt"), ("ServiceAccount", "default")})  # there is one everywhere


@dataclass(frozen=True)
class Own:
    """What a manifest may refer to: what it makes itself, what is named after the instance's Helm release
    (release names are hashes: nobody else's object is called so), and names that the operator has given."""

    made: frozenset[tuple[str, str]]
    release: str
    granted: Collection[str]

    def has(self, kind: str, name: str) -> bool:
        """Whether the object is the instance's own."""
        named_after = name == self.release or name.startswith(f"{self.release}-")
        return named_after or name in self.granted or (kind, name) in self.made | _PUBLIC


def violations(manifest: str, namespace: str, *, release: str, granted: Collection[str] = ()) -> list[str]:
    """Every breach in a rendered manifest, one sentence each, naming the object.

    release: the Helm release of the instance, also when the manifest is that of a binding.
    granted: names of Secrets, ConfigMaps, claims and service accounts that the operator lets this addon use.
    """
    try:
        check_depth(manifest, yaml.CSafeLoader)
        objects = [obj for obj in yaml.load_all(manifest, Loader=yaml.CSafeLoader) if obj is not None]
    except yaml.YAMLError:
        return ["the rendered manifest is not valid YAML"]
    except (ValueError, RecursionError):  # 2026-99-99; an alias bomb
        return ["the rendered manifest cannot be read"]
    usable = [obj for obj in objects if isinstance(obj, dict) and isinstance(obj.get("metadata"), dict)]
    made = frozenset((str(obj.get("kind")), str(obj["metadata"].get("name"))) for obj in usable)
    own = Own(made, release, granted)
    found = ["something that is not a Kubernetes object is rendered"] if len(usable) < len(objects) else []
    for obj in usable:
        name = f"{obj.get('kind')} {obj['metadata'].get('name')}"
        found += [f"{name}: {breach}" for breach in _breaches(obj, namespace, own)]
    return found


def _breaches(obj: dict[str, Any], namespace: str, own: Own) -> Iterator[str]:
    kind, api_version = obj.get("kind"), str(obj.get("apiVersion"))
    group = api_version.rpartition("/")[0]
    if not isinstance(kind, str) or ALLOWED.get(kind) != group:
        yield f"kind {kind} of {api_version} is not allowed"
        return
    if obj["metadata"].get("namespace", namespace) != namespace:
        yield f"leaves the namespace {namespace}"
    if kind == "Secret" and str(obj.get("type") or "Opaque") not in _SECRET_TYPES:
        yield f"Secrets of type {obj.get('type')} are not allowed"
    spec = obj.get("spec")
    if not isinstance(spec, dict):
        return
    if kind == "Service":
        if str(spec.get("type") or "ClusterIP") not in _SERVICE_TYPES:
            yield f"Services of type {spec.get('type')} are not allowed"
        if spec.get("externalIPs"):
            yield "externalIPs are not allowed"
    if kind in ("NetworkPolicy", "PodDisruptionBudget") and not _selects(spec):
        yield "selects every pod of the namespace"
    template = _dig(spec, "jobTemplate", "spec", "template") if kind == "CronJob" else spec.get("template")
    if template is not None:
        yield from breaches_of_pod(template, own.has)


def _selects(spec: dict[str, Any]) -> bool:
    """Whether it is about certain pods only: an empty selector means all, those of other instances too."""
    selector = spec.get("podSelector", spec.get("selector"))
    return isinstance(selector, dict) and any(selector.values())


def _dig(value: Any, *path: str) -> Any:
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value
