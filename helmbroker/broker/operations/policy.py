"""The gate: what a chart may create. Tenants' parameters must not become rights in the cluster. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

ALLOWED = frozenset(
    {
        "ConfigMap",
        "CronJob",
        "Deployment",
        "Job",
        "NetworkPolicy",
        "PersistentVolumeClaim",
        "PodDisruptionBudget",
        "Secret",
        "Service",
        "ServiceAccount",
        "StatefulSet",
    }
)
_SECRET_TYPES = frozenset({"Opaque", "kubernetes.io/tls", "kubernetes.io/basic-auth", "kubernetes.io/ssh-auth"})
_HOST_FLAGS = ("hostNetwork", "hostPID", "hostIPC")
_VOLUMES = frozenset(
    {"configMap", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
)


def violations(manifest: str, namespace: str) -> list[str]:
    """Every breach in a rendered manifest, one sentence each, naming the object."""
    found: list[str] = []
    try:
        objects = list(yaml.load_all(manifest, Loader=yaml.CSafeLoader))
    except yaml.YAMLError:
        return ["the rendered manifest is not valid YAML"]
    for obj in objects:
        if obj is None:
            continue
        if not isinstance(obj, dict) or not isinstance(obj.get("metadata"), dict):
            found.append("something that is not a Kubernetes object is rendered")
            continue
        name = f"{obj.get('kind')} {obj['metadata'].get('name')}"
        found += [f"{name}: {breach}" for breach in _breaches(obj, namespace)]
    return found


def _breaches(obj: dict[str, Any], namespace: str) -> Iterator[str]:
    kind = obj.get("kind")
    if kind not in ALLOWED:
        yield f"kind {kind} is not allowed"
    if obj["metadata"].get("namespace", namespace) != namespace:
        yield f"leaves the namespace {namespace}"
    if kind == "Secret" and obj.get("type", "Opaque") not in _SECRET_TYPES:
        yield f"Secrets of type {obj.get('type')} are not allowed"
    if kind == "Service" and _spec(obj).get("externalIPs"):
        yield "externalIPs are not allowed"
    for pod in _pods(obj):
        yield from _pod_breaches(pod)


def _pods(obj: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The pod specs of a workload."""
    spec = _spec(obj)
    match obj.get("kind"):
        case "Pod":
            yield spec
        case "CronJob":
            yield _spec(_spec(spec.get("jobTemplate")).get("template"))
        case _ if isinstance(spec.get("template"), dict):
            yield _spec(spec["template"])


def _pod_breaches(pod: dict[str, Any]) -> Iterator[str]:
    yield from (f"{flag} is not allowed" for flag in _HOST_FLAGS if pod.get(flag))
    for volume in pod.get("volumes") or ():
        yield from (f"{kind} volumes are not allowed" for kind in sorted(set(volume) - _VOLUMES - {"name"}))
    for group in ("initContainers", "containers", "ephemeralContainers"):
        for container in pod.get(group) or ():
            yield from (f"container {container.get('name')}: {what}" for what in _container_breaches(container))


def _container_breaches(container: dict[str, Any]) -> Iterator[str]:
    security = container.get("securityContext") or {}
    if security.get("privileged"):
        yield "privileged is not allowed"
    if security.get("allowPrivilegeEscalation"):
        yield "allowPrivilegeEscalation is not allowed"
    if (security.get("capabilities") or {}).get("add"):
        yield "added capabilities are not allowed"
    if security.get("procMount", "Default") != "Default":
        yield "procMount is not allowed"
    if any(port.get("hostPort") for port in container.get("ports") or ()):
        yield "hostPort is not allowed"


def _spec(obj: Any) -> dict[str, Any]:
    spec = obj.get("spec") if isinstance(obj, Mapping) else None
    return spec if isinstance(spec, dict) else {}
