"""What an operator grants: exactly that, and never what leads to everything."""

from __future__ import annotations

from typing import Any

import pytest

from helmbroker.broker.gate import NO_GRANTS, Grants
from helmbroker.broker.gate.grants import read
from helmbroker.catalog.documents import parse
from helmbroker.catalog.model import PodSecurity
from tests.unit.gate.manifests import NAMESPACE, RELEASE, found, obj, pod, told, volume, workload

FILE = """
redis:
  pod_security: privileged
  kinds: [apps/DaemonSet, monitoring.coreos.com/ServiceMonitor, Pod]
  service_types: [LoadBalancer]
  host_paths: [/sys, /var/log]
  volume_types: [csi]
  uses: [Secret/company-tls, ServiceAccount/backup]
  rbac:
    - {apiGroups: [""], resources: [pods], verbs: [get, list]}
other: {}
"""


def daemon_set(spec: dict[str, Any]) -> dict[str, Any]:
    return workload("DaemonSet", spec) | {"apiVersion": "apps/v1"}


def granted(text: str) -> Grants:
    grants, faults = read(parse(text, "grants.yaml"))
    assert faults == []
    return grants["redis"]


def test_a_file_of_grants() -> None:
    grants, faults = read(parse(FILE, "grants.yaml"))
    assert faults == []
    assert grants["other"] == NO_GRANTS
    assert grants["redis"].pod_security is PodSecurity.PRIVILEGED
    assert grants["redis"].uses == {("Secret", "company-tls"), ("ServiceAccount", "backup")}
    assert read(parse("", "grants.yaml")) == ({}, [])


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("redis:\n  kind: [x]", 1, "redis: unknown 'kind'; allowed: "),
        ("redis: 1", 1, "redis: must be of type object"),
        ("- redis", 1, "must be of type object or null"),
        ("redis:\n  pod_security: none", 2, "redis.pod_security: must be one of privileged, baseline, restricted"),
        ("redis:\n  service_types: [Headless]", 2, "redis.service_types.0: must be one of"),
        ("redis:\n  host_paths: [var]", 2, "redis.host_paths.0: must match"),
        ("redis:\n  host_paths: [/]", 2, "redis.host_paths.0: must match"),
        ("redis:\n  uses: [company-tls]", 2, "redis.uses.0: must match"),
        ("redis:\n  volume_types: [hostPath]", 2, "redis.volume_types: hostPath is granted by its folders"),
        *(
            (f"redis:\n  kinds: [{kind}]", 2, f"redis.kinds.0: {kind} cannot be granted; make it yourself")
            for kind in (
                "Namespace",
                "Endpoints",
                "rbac.authorization.k8s.io/ClusterRole",
                "apiextensions.k8s.io/CustomResourceDefinition",
                "admissionregistration.k8s.io/MutatingWebhookConfiguration",
                "storage.k8s.io/StorageClass",
            )
        ),
        ("redis:\n  kinds: [rbac.authorization.k8s.io/Role]", 2, "redis.kinds.0: roles are granted by their rules"),
        *(
            (
                f"redis:\n  rbac:\n    - {{apiGroups: [{group}], resources: [{resource}], verbs: [{verb}]}}",
                3,
                "redis.rbac.0: cannot be granted: ",
            )
            for group, resource, verb in (
                ('"*"', "pods", "get"),
                ('""', '"*"', "get"),
                ('""', "pods", '"*"'),
                ('""', "pods/exec", "create"),
                ('""', "pods", "create"),
                ("apps", "deployments", "patch"),
                ("apps", "deployments/*", "get"),
                ('""', "serviceaccounts/token", "create"),
                ("rbac.authorization.k8s.io", "roles", "get"),
                ('""', "serviceaccounts", "impersonate"),
                ("x", "roles", "escalate"),
                ("x", "roles", "bind"),
            )
        ),
    ],
)
def test_faults_of_the_file(text: str, line: int, message: str) -> None:
    _, (fault, *_) = read(parse(text, "grants.yaml"))
    assert fault.line == line
    assert fault.message.startswith(message)


@pytest.mark.parametrize(
    ("wanted", "given", "level"),
    [
        ("restricted", None, "restricted"),
        ("baseline", None, "baseline"),
        ("privileged", None, "baseline"),
        ("privileged", "privileged", "privileged"),
        ("restricted", "baseline", "baseline"),
        ("restricted", "privileged", "privileged"),
        ("baseline", "restricted", "baseline"),
    ],
)
def test_levels(wanted: str, given: str | None, level: str) -> None:
    grants = Grants(pod_security=None if given is None else PodSecurity(given))
    assert grants.level(PodSecurity(wanted)) is PodSecurity(level)


def test_the_cure_of_a_refusal_is_a_grant() -> None:
    """What a violation names, written into the file, allows it."""
    bad = [
        daemon_set(pod(hostNetwork=True, **volume(hostPath={"path": "/var/log"}))),
        obj("Service", spec={"type": "NodePort"}),
        workload("Job", pod(**volume(nfs={}))),
        workload("Job", pod(**volume(secret={"secretName": "company-tls"}))),
        obj("Role", rules=[{"apiGroups": ["", "apps"], "resources": ["pods"], "verbs": ["get", "patch"]}]),
    ]
    lines: list[str] = []
    for _ in range(2):  # a kind that is not allowed is not looked into
        text = "\n  ".join(["redis:", *lines, "{}"[len(lines) :]])
        lines += sorted({each.grant for each in found(*bad, grants=granted(text) if lines else NO_GRANTS)})
    assert len(lines) == 7
    assert found(*bad, grants=granted("\n  ".join(["redis:", *lines]))) == []


@pytest.mark.parametrize("kind", ["LoadBalancer", "NodePort", "ExternalName"])
def test_types_of_services_are_granted_one_by_one(kind: str) -> None:
    service = obj("Service", spec={"type": kind})
    assert found(service, grants=Grants(service_types=frozenset({kind}))) == []
    others = frozenset({"LoadBalancer", "NodePort", "ExternalName"} - {kind})
    assert len(found(service, grants=Grants(service_types=others))) == 1


def test_the_pods_of_granted_kinds_keep_to_the_level() -> None:
    grants = Grants(kinds=frozenset({"Pod", "PodTemplate", "apps/DaemonSet"}))
    spec = pod(hostNetwork=True)
    fields = [
        field
        for each in (
            obj("Pod", spec=spec),
            obj("PodTemplate", template={"spec": spec}),
            daemon_set(spec),
        )
        for field, _ in told(each, grants=grants)
    ]
    assert fields == ["spec.hostNetwork", "template.spec.hostNetwork", "spec.template.spec.hostNetwork"]


def _monitor(**spec: Any) -> dict[str, Any]:
    return obj("ServiceMonitor", group="monitoring.coreos.com", spec=spec)


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        (
            {"endpoints": [{"basicAuth": {"password": {"name": "hb-other", "key": "p"}}}]},
            "spec.endpoints[0].basicAuth.password.name",
        ),
        (
            {"endpoints": [{"tlsConfig": {"ca": {"secret": {"name": "hb-other", "key": "p"}}}}]},
            "spec.endpoints[0].tlsConfig.ca.secret.name",
        ),
        ({"namespaceSelector": {"any": True}}, "spec.namespaceSelector"),
        ({"namespaceSelector": {"matchNames": ["kube-system"]}}, "spec.namespaceSelector"),
    ],
)
def test_prometheus_reads_nothing_of_others(spec: dict[str, Any], field: str) -> None:
    grants = Grants(kinds=frozenset({"monitoring.coreos.com/ServiceMonitor"}))
    assert [each for each, _ in told(_monitor(**spec), grants=grants)] == [field]
    own = {"endpoints": [{"basicAuth": {"password": {"name": RELEASE, "key": "p"}}}]}
    assert told(_monitor(**own, namespaceSelector={"matchNames": [NAMESPACE]}), grants=grants) == []
