"""The gate: what charts may create."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from helmbroker.broker.operations.pod_policy import breaches_of_pod
from helmbroker.broker.operations.policy import ALLOWED, violations

NAMESPACE, RELEASE = "instances", "hb-0123456789abcdef0123"


def told(*objects: Any, release: str = RELEASE, granted: tuple[str, ...] = ()) -> list[str]:
    return violations(yaml.safe_dump_all(objects), NAMESPACE, release=release, granted=granted)


def obj(kind: str, *, group: str | None = None, name: str = RELEASE, **content: Any) -> dict[str, Any]:
    group = ALLOWED.get(kind, "") if group is None else group
    version = f"{group}/v1" if group else "v1"
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name}, **content}


def workload(kind: str, pod: dict[str, Any], annotations: dict[str, str] | None = None) -> dict[str, Any]:
    template = {"metadata": {"annotations": annotations or {}}, "spec": pod}
    spec = {"jobTemplate": {"spec": {"template": template}}} if kind == "CronJob" else {"template": template}
    return obj(kind, spec=spec)


def container(**fields: Any) -> dict[str, Any]:
    return {"name": "main", "image": "x:1", **fields}


GOOD_POD: dict[str, Any] = {
    "serviceAccountName": RELEASE,
    "automountServiceAccountToken": False,
    "securityContext": {
        "runAsNonRoot": True,
        "fsGroup": 999,
        "seccompProfile": {"type": "RuntimeDefault"},
        "sysctls": [{"name": "net.ipv4.tcp_keepalive_time", "value": "60"}],
        "seLinuxOptions": {"level": "s0:c1", "type": "container_t"},
    },
    "containers": [
        container(
            ports=[{"containerPort": 5432}],
            securityContext={"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
            livenessProbe={"tcpSocket": {"port": 5432}},
            env=[
                {"name": "A", "value": "1"},
                {"name": "B", "valueFrom": {"secretKeyRef": {"name": f"{RELEASE}-admin", "key": "password"}}},
                {"name": "C", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            ],
            envFrom=[{"configMapRef": {"name": "settings"}}],
        )
    ],
    "volumes": [
        {"name": "a", "emptyDir": {"medium": "Memory"}},
        {"name": "b", "persistentVolumeClaim": {"claimName": f"{RELEASE}-data"}},
        {"name": "c", "secret": {"secretName": RELEASE}},
        {"name": "d", "configMap": {"name": "settings"}},
        {"name": "e", "projected": {"sources": [{"configMap": {"name": "kube-root-ca.crt"}}]}},
    ],
}
GOOD = [
    obj("ConfigMap", name="settings", data={"a": "1"}),
    obj("Secret", type="kubernetes.io/tls"),
    obj("Secret", name="plain"),
    obj("Service", spec={"ports": [{"port": 5432}]}),
    obj("ServiceAccount"),
    obj("PersistentVolumeClaim", spec={}),
    obj("NetworkPolicy", spec={"podSelector": {"matchLabels": {"app": "x"}}}),
    obj("PodDisruptionBudget", spec={"selector": {"matchLabels": {"app": "x"}}}),
    *(workload(kind, GOOD_POD) for kind in ("Deployment", "StatefulSet", "Job", "CronJob")),
]


def test_what_an_addon_needs_passes() -> None:
    assert told(*GOOD, None) == []
    assert {each["kind"] for each in GOOD} == set(ALLOWED), "every allowed kind is in this test"


@pytest.mark.bug(13)
@pytest.mark.parametrize(
    ("kind", "group"),
    [
        ("ClusterRole", "rbac.authorization.k8s.io"),
        ("ClusterRoleBinding", "rbac.authorization.k8s.io"),
        ("Role", "rbac.authorization.k8s.io"),
        ("RoleBinding", "rbac.authorization.k8s.io"),
        ("CustomResourceDefinition", "apiextensions.k8s.io"),
        ("ValidatingWebhookConfiguration", "admissionregistration.k8s.io"),
        ("MutatingWebhookConfiguration", "admissionregistration.k8s.io"),
        ("APIService", "apiregistration.k8s.io"),
        ("PriorityClass", "scheduling.k8s.io"),
        ("StorageClass", "storage.k8s.io"),
        ("PersistentVolume", ""),
        ("Namespace", ""),
        ("Node", ""),
        ("Pod", ""),
        ("List", ""),
        ("ReplicaSet", "apps"),
        ("DaemonSet", "apps"),
        ("Ingress", "networking.k8s.io"),
        ("HTTPRoute", "gateway.networking.k8s.io"),
        ("ResourceQuota", ""),
        ("LimitRange", ""),
        ("EndpointSlice", "discovery.k8s.io"),
        ("Endpoints", ""),
        ("ServiceMonitor", "monitoring.coreos.com"),
        ("Job", "batch.volcano.sh"),  # the name of an allowed kind, in a group that nobody looked into
        ("Service", "serving.knative.dev"),
        ("Secret", "apps"),
    ],
)
def test_other_kinds_are_refused(kind: str, group: str) -> None:
    version = f"{group}/v1" if group else "v1"
    assert told(obj(kind, group=group)) == [f"{kind} {RELEASE}: kind {kind} of {version} is not allowed"]


@pytest.mark.bug(13)
@pytest.mark.parametrize(
    ("broken", "breach"),
    [
        (
            obj("ConfigMap") | {"metadata": {"name": "a", "namespace": "kube-system"}},
            "leaves the namespace instances",
        ),
        (
            obj("Secret", type="kubernetes.io/service-account-token"),
            "Secrets of type kubernetes.io/service-account-token are not allowed",
        ),
        (obj("Secret", type="helm.sh/release.v1"), "Secrets of type helm.sh/release.v1 are not allowed"),
        (obj("Service", spec={"type": "NodePort"}), "Services of type NodePort are not allowed"),
        (obj("Service", spec={"type": "LoadBalancer"}), "Services of type LoadBalancer are not allowed"),
        (obj("Service", spec={"type": "ExternalName"}), "Services of type ExternalName are not allowed"),
        (obj("Service", spec={"externalIPs": ["10.0.0.1"]}), "externalIPs are not allowed"),
        (obj("NetworkPolicy", spec={"podSelector": {}}), "selects every pod of the namespace"),
        (obj("NetworkPolicy", spec={"podSelector": {"matchLabels": {}}}), "selects every pod of the namespace"),
        (obj("PodDisruptionBudget", spec={"selector": {}}), "selects every pod of the namespace"),
        (obj("Deployment", spec={"template": "text"}), "its pod template cannot be read"),
        (obj("Job", spec={"template": {"spec": None}}), "its pod template cannot be read"),
    ],
)
def test_rules_of_objects(broken: dict[str, Any], breach: str) -> None:
    (found,) = told(broken)
    assert found.endswith(f": {breach}")


def _volume(**source: Any) -> dict[str, Any]:
    return {"volumes": [{"name": "v", **source}]}


@pytest.mark.parametrize(
    ("fields", "breach"),
    [
        ({"hostNetwork": True}, "hostNetwork is not allowed"),
        ({"hostPID": True}, "hostPID is not allowed"),
        ({"hostIPC": True}, "hostIPC is not allowed"),
        ({"serviceAccountName": "helmbroker"}, "service account helmbroker is not its own"),
        ({"serviceAccount": "helmbroker"}, "service account helmbroker is not its own"),
        ({"priorityClassName": "system-node-critical"}, "priority class system-node-critical is not allowed"),
        ({"securityContext": {"sysctls": [{"name": "kernel.msgmax"}]}}, "sysctl kernel.msgmax is not allowed"),
        ({"securityContext": {"seccompProfile": {"type": "Unconfined"}}}, "seccomp cannot be switched off"),
        ({"securityContext": {"appArmorProfile": {"type": "Unconfined"}}}, "AppArmor cannot be switched off"),
        ({"securityContext": {"seLinuxOptions": {"type": "spc_t"}}}, "these seLinuxOptions are not allowed"),
        ({"securityContext": {"seLinuxOptions": {"user": "root"}}}, "these seLinuxOptions are not allowed"),
        ({"securityContext": {"windowsOptions": {"hostProcess": True}}}, "hostProcess is not allowed"),
        (_volume(hostPath={"path": "/"}), "hostPath volumes are not allowed"),
        (_volume(nfs={"server": "x"}), "nfs volumes are not allowed"),
        (_volume(csi={"driver": "x"}), "csi volumes are not allowed"),
        (_volume(image={"reference": "x"}), "image volumes are not allowed"),
        (_volume(secret={"secretName": "hb-other"}), "Secret hb-other is not its own"),
        (_volume(configMap={"name": "hb-other"}), "ConfigMap hb-other is not its own"),
        (
            _volume(persistentVolumeClaim={"claimName": "data-hb-other-0"}),
            "PersistentVolumeClaim data-hb-other-0 is not its own",
        ),
        (_volume(projected={"sources": [{"secret": {"name": "hb-other"}}]}), "Secret hb-other is not its own"),
        (_volume(projected={"sources": [{"configMap": {"name": "other"}}]}), "ConfigMap other is not its own"),
    ],
)
@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "Job", "CronJob"])
def test_rules_of_pods(kind: str, fields: dict[str, Any], breach: str) -> None:
    assert told(workload(kind, {"containers": [container()], **fields})) == [f"{kind} {RELEASE}: {breach}"]


@pytest.mark.parametrize(
    ("fields", "breach"),
    [
        ({"securityContext": {"privileged": True}}, "privileged is not allowed"),
        ({"securityContext": {"privileged": "true"}}, "privileged is not allowed"),
        ({"securityContext": {"allowPrivilegeEscalation": True}}, "allowPrivilegeEscalation is not allowed"),
        ({"securityContext": {"capabilities": {"add": ["SYS_ADMIN"]}}}, "added capabilities are not allowed"),
        ({"securityContext": {"procMount": "Unmasked"}}, "procMount is not allowed"),
        ({"securityContext": {"seccompProfile": {"type": "Unconfined"}}}, "seccomp cannot be switched off"),
        ({"securityContext": {"appArmorProfile": {"type": "Unconfined"}}}, "AppArmor cannot be switched off"),
        ({"securityContext": {"seLinuxOptions": {"role": "x"}}}, "these seLinuxOptions are not allowed"),
        ({"securityContext": {"windowsOptions": {"hostProcess": True}}}, "hostProcess is not allowed"),
        ({"ports": [{"containerPort": 80, "hostPort": 80}]}, "hostPort is not allowed"),
        ({"livenessProbe": {"httpGet": {"host": "10.0.0.1", "port": 80}}}, "probes of other hosts are not allowed"),
        ({"startupProbe": {"tcpSocket": {"host": "10.0.0.1"}}}, "probes of other hosts are not allowed"),
        ({"lifecycle": {"postStart": {"httpGet": {"host": "x"}}}}, "probes of other hosts are not allowed"),
        (
            {"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "hb-other", "key": "k"}}}]},
            "Secret hb-other is not its own",
        ),
        ({"envFrom": [{"secretRef": {"name": "hb-other"}}]}, "Secret hb-other is not its own"),
        ({"envFrom": [{"configMapRef": {"name": "hb-other"}}]}, "ConfigMap hb-other is not its own"),
    ],
)
@pytest.mark.parametrize("group", ["containers", "initContainers", "ephemeralContainers"])
def test_rules_of_containers(group: str, fields: dict[str, Any], breach: str) -> None:
    pod = {"containers": [], group: [container(**fields)]}
    assert told(workload("Deployment", pod)) == [f"Deployment {RELEASE}: container main: {breach}"]


def test_apparmor_by_annotation() -> None:
    annotations = {"container.apparmor.security.beta.kubernetes.io/main": "unconfined"}
    found = told(workload("Deployment", {"containers": [container()]}, annotations))
    assert found == [f"Deployment {RELEASE}: AppArmor cannot be switched off"]


def test_a_binding_may_use_what_its_instance_has() -> None:
    job = workload("Job", {"containers": [container()], **_volume(secret={"secretName": f"{RELEASE}-admin"})})
    job["metadata"]["name"] = f"{RELEASE}-0123456789abcdef-make"
    assert told(job) == []
    assert told(job, release=RELEASE[:-1]) != [], "the name of another release is no prefix of this one's objects"


def test_the_operator_grants_by_naming() -> None:
    pod = {"containers": [container()], **_volume(secret={"secretName": "company-tls"})}
    assert told(workload("Deployment", pod)) != []
    assert told(workload("Deployment", pod), granted=("company-tls",)) == []


@pytest.mark.parametrize("kind", ["Secret", "ConfigMap"])
def test_what_is_made_under_one_kind_grants_no_other(kind: str) -> None:
    other = {"Secret": "ConfigMap", "ConfigMap": "Secret"}[kind]
    pod = {"containers": [container(envFrom=[{f"{kind[0].lower()}{kind[1:]}Ref": {"name": "mine"}}])]}
    assert told(obj(kind, name="mine"), workload("Deployment", pod)) == []
    assert len(told(obj(other, name="mine"), workload("Deployment", pod))) == 1


@pytest.mark.parametrize(
    ("manifest", "breach"),
    [
        ("a: [", "the rendered manifest is not valid YAML"),
        ("[" * 500_000, "the rendered manifest is not valid YAML"),  # the C parser would overflow its stack
        ("a: 2026-99-99", "the rendered manifest cannot be read"),
        ("!!python/object:os.system {}", "the rendered manifest is not valid YAML"),
        ("just text", "something that is not a Kubernetes object is rendered"),
        ("- 1", "something that is not a Kubernetes object is rendered"),
        ("kind: Secret", "something that is not a Kubernetes object is rendered"),
        ("kind: [Secret]\nmetadata: {name: x}", "kind ['Secret'] of None is not allowed"),
    ],
)
def test_what_cannot_be_read_is_refused(manifest: str, breach: str) -> None:
    (found,) = violations(manifest, NAMESPACE, release=RELEASE)
    assert found.endswith(breach)


MUTATIONS: tuple[Any, ...] = (None, "text", 7, True, [], ["x"], [None], {}, {"a": "b"})


def _mutants(value: Any) -> Any:
    """The value with each of its parts replaced, one at a time, by something of another shape."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from ({**value, key: other} for other in (*MUTATIONS, *_mutants(inner)))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            for other in (*MUTATIONS, *_mutants(inner)):
                yield [*value[:index], other, *value[index + 1 :]]


def test_no_shape_gets_the_gate_to_stumble() -> None:
    bad = {**GOOD_POD, "hostNetwork": True}
    for pod in _mutants(bad):
        assert "hostNetwork is not allowed" in [*breaches_of_pod({"spec": pod}, lambda *_: True), *_no_flag(pod)]
    for mutant in (mutant for good in GOOD[:8] for mutant in _mutants(good)):
        violations(json.dumps(mutant), NAMESPACE, release=RELEASE)


def _no_flag(pod: dict[str, Any]) -> list[str]:
    return [] if pod["hostNetwork"] else ["hostNetwork is not allowed"]
