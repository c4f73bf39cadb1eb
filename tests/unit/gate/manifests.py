"""Manifests for the tests of the gate."""

from __future__ import annotations

from typing import Any

from helmbroker.broker.gate import NO_GRANTS, Grants, Scope, Violation, violations
from helmbroker.broker.gate.rules import ALLOWED
from helmbroker.catalog.model import PodSecurity

NAMESPACE, RELEASE = "instances", "hb-0123456789abcdef0123"
WORKLOADS = ("Deployment", "StatefulSet", "Job", "CronJob")
GROUPS = ("containers", "initContainers", "ephemeralContainers")


def found(
    *objects: Any, level: PodSecurity = PodSecurity.BASELINE, grants: Grants = NO_GRANTS, release: str = RELEASE
) -> list[Violation]:
    return violations(objects, Scope(NAMESPACE, release, level, grants))


def told(
    *objects: Any, level: PodSecurity = PodSecurity.BASELINE, grants: Grants = NO_GRANTS, release: str = RELEASE
) -> list[tuple[str, str]]:
    """Field and rule of every violation."""
    return [(each.field, each.rule) for each in found(*objects, level=level, grants=grants, release=release)]


def obj(kind: str, *, group: str | None = None, name: str = RELEASE, **content: Any) -> dict[str, Any]:
    group = ALLOWED.get(kind, "") if group is None else group
    version = f"{group}/v1" if group else "v1"
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name}, **content}


def workload(
    kind: str, pod: dict[str, Any], annotations: dict[str, str] | None = None, labels: dict[str, str] | None = None
) -> dict[str, Any]:
    template = {"metadata": {"annotations": annotations or {}, "labels": labels or {}}, "spec": pod}
    spec = {"jobTemplate": {"spec": {"template": template}}} if kind == "CronJob" else {"template": template}
    return obj(kind, spec=spec)


def path_of_pod(kind: str) -> str:
    return "spec.jobTemplate.spec.template.spec" if kind == "CronJob" else "spec.template.spec"


def container(**fields: Any) -> dict[str, Any]:
    return {"name": "main", "image": "x:1", **fields}


def pod(**fields: Any) -> dict[str, Any]:
    return {"containers": [container()], **fields}


def volume(**source: Any) -> dict[str, Any]:
    return {"volumes": [{"name": "v", **source}]}


RESTRICTED_POD: dict[str, Any] = {
    "serviceAccountName": RELEASE,
    "automountServiceAccountToken": False,
    "securityContext": {
        "runAsNonRoot": True,
        "runAsUser": 999,
        "fsGroup": 999,
        "seccompProfile": {"type": "RuntimeDefault"},
        "sysctls": [{"name": "net.ipv4.tcp_keepalive_time", "value": "60"}],
        "seLinuxOptions": {"level": "s0:c1", "type": "container_t"},
    },
    "containers": [
        container(
            ports=[{"containerPort": 5432}],
            securityContext={
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]},
                "appArmorProfile": {"type": "RuntimeDefault"},
                "procMount": "Default",
            },
            livenessProbe={"tcpSocket": {"port": 5432}},
            env=[
                {"name": "A", "value": "1"},
                {"name": "B", "valueFrom": {"secretKeyRef": {"name": f"{RELEASE}-admin", "key": "password"}}},
                {"name": "C", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            ],
            envFrom=[{"configMapRef": {"name": f"{RELEASE}-settings"}}],
        )
    ],
    "volumes": [
        {"name": "a", "emptyDir": {"medium": "Memory"}},
        {"name": "b", "persistentVolumeClaim": {"claimName": f"{RELEASE}-data"}},
        {"name": "c", "secret": {"secretName": RELEASE}},
        {"name": "d", "configMap": {"name": f"{RELEASE}-settings"}},
        {"name": "e", "projected": {"sources": [{"configMap": {"name": "kube-root-ca.crt"}}]}},
    ],
}
_OWN = {"app.kubernetes.io/instance": RELEASE}
GOOD = [
    obj("ConfigMap", name="settings", data={"a": "1"}),
    obj("Secret", type="kubernetes.io/tls"),
    obj("Secret", name="plain"),
    obj("Service", spec={"ports": [{"port": 5432}], "selector": _OWN}),
    obj("ServiceAccount"),
    obj("PersistentVolumeClaim", spec={}),
    obj("NetworkPolicy", spec={"podSelector": {"matchLabels": _OWN}}),
    obj("PodDisruptionBudget", spec={"selector": {"matchLabels": _OWN}}),
    obj("Role", rules=[]),
    obj("RoleBinding", roleRef={"kind": "Role", "name": RELEASE}, subjects=[]),
    *(workload(kind, RESTRICTED_POD, labels=_OWN) for kind in WORKLOADS),
]
