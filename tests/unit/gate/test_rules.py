"""The gate: what charts may create."""

from __future__ import annotations

from typing import Any

import pytest

from helmbroker.broker.gate.rules import ALLOWED
from helmbroker.catalog.model import PodSecurity
from tests.unit.gate.manifests import (
    GOOD,
    NAMESPACE,
    RELEASE,
    WORKLOADS,
    container,
    found,
    obj,
    pod,
    told,
    volume,
    workload,
)

SELECTORS: list[Any] = [{}, None, {"matchLabels": {}}, {"matchLabels": {"app": "x"}}, {"matchExpressions": []}]


def test_what_an_addon_needs_passes() -> None:
    assert told(*GOOD, level=PodSecurity.RESTRICTED) == []
    assert {each["kind"] for each in GOOD} == set(ALLOWED), "every allowed kind is in this test"


@pytest.mark.bug(13)
@pytest.mark.parametrize(
    ("kind", "group", "grant"),
    [
        ("ClusterRole", "rbac.authorization.k8s.io", ""),
        ("ClusterRoleBinding", "rbac.authorization.k8s.io", ""),
        ("CustomResourceDefinition", "apiextensions.k8s.io", ""),
        ("ValidatingWebhookConfiguration", "admissionregistration.k8s.io", ""),
        ("MutatingWebhookConfiguration", "admissionregistration.k8s.io", ""),
        ("ValidatingAdmissionPolicy", "admissionregistration.k8s.io", ""),
        ("APIService", "apiregistration.k8s.io", ""),
        ("PriorityClass", "scheduling.k8s.io", ""),
        ("StorageClass", "storage.k8s.io", ""),
        ("PersistentVolume", "", ""),
        ("Namespace", "", ""),
        ("Node", "", ""),
        ("ResourceQuota", "", ""),
        ("LimitRange", "", ""),
        ("EndpointSlice", "discovery.k8s.io", ""),
        ("Endpoints", "", ""),
        ("CertificateSigningRequest", "certificates.k8s.io", ""),
        ("Pod", "", "kinds: [Pod]"),
        ("List", "", "kinds: [List]"),
        ("ReplicaSet", "apps", "kinds: [apps/ReplicaSet]"),
        ("DaemonSet", "apps", "kinds: [apps/DaemonSet]"),
        ("Ingress", "networking.k8s.io", "kinds: [networking.k8s.io/Ingress]"),
        ("HTTPRoute", "gateway.networking.k8s.io", "kinds: [gateway.networking.k8s.io/HTTPRoute]"),
        ("ServiceMonitor", "monitoring.coreos.com", "kinds: [monitoring.coreos.com/ServiceMonitor]"),
        # the name of an allowed kind, in a group that nobody looked into
        ("Job", "batch.volcano.sh", "kinds: [batch.volcano.sh/Job]"),
        ("Service", "serving.knative.dev", "kinds: [serving.knative.dev/Service]"),
        ("Secret", "apps", "kinds: [apps/Secret]"),
    ],
)
def test_other_kinds_are_refused(kind: str, group: str, grant: str) -> None:
    version = f"{group}/v1" if group else "v1"
    (violation,) = found(obj(kind, group=group))
    assert violation.object == f"{kind} {RELEASE}"
    assert (violation.field, violation.rule) == ("kind", f"{kind} of {version} is not allowed")
    assert violation.grant == grant


@pytest.mark.bug(13)
@pytest.mark.parametrize(
    ("broken", "field", "rule"),
    [
        (
            obj("ConfigMap") | {"metadata": {"name": "a", "namespace": "kube-system"}},
            "metadata.namespace",
            "leaves the namespace instances",
        ),
        *(
            (obj("Secret", type=kind), "type", f"Secrets of type {kind} are not allowed")
            for kind in (
                "kubernetes.io/service-account-token",
                "helm.sh/release.v1",
                "bootstrap.kubernetes.io/token",
            )
        ),
        *(
            (obj("Service", spec={"type": kind}), "spec.type", f"Services of type {kind} are not allowed")
            for kind in ("NodePort", "LoadBalancer", "ExternalName")
        ),
        (
            obj("Service", spec={"externalIPs": ["10.0.0.1"]}),
            "spec.externalIPs",
            "addresses of others are not allowed",
        ),
        (
            obj("Service", spec={"selector": {"app": "hb-other"}}),
            "spec.selector",
            "must name the Helm release; it may lead to pods of others",
        ),
        *(
            (
                obj(kind, spec={key: selector}),
                f"spec.{key}.matchLabels",
                "must name the Helm release; it may be about pods of others",
            )
            for kind, key in (("NetworkPolicy", "podSelector"), ("PodDisruptionBudget", "selector"))
            for selector in SELECTORS
        ),
        (obj("Deployment", spec={"template": "text"}), "spec.template", "the pod template cannot be read"),
        (obj("Job", spec={"template": {"spec": None}}), "spec.template", "the pod template cannot be read"),
        (
            obj("ConfigMap") | {"metadata": {"name": "a", "labels": {"app.kubernetes.io/instance": "hb-other"}}},
            "metadata.labels[app.kubernetes.io/instance]",
            "must be the Helm release, not hb-other",
        ),
        (
            obj("ConfigMap") | {"metadata": {"name": "hb-other-0", "annotations": {"helm.sh/hook": "test"}}},
            "metadata.name",
            "hooks must be named after the Helm release",
        ),
        (
            obj("ServiceAccount") | {"metadata": {"name": "a", "annotations": {"eks.amazonaws.com/role-arn": "x"}}},
            "metadata.annotations[eks.amazonaws.com/role-arn]",
            "rights in the cloud are not allowed; make the service account yourself",
        ),
        (
            obj("ServiceAccount", imagePullSecrets=[{"name": "hb-other"}]),
            "imagePullSecrets[0].name",
            "Secret hb-other is not the instance's own",
        ),
    ],
)
def test_rules_of_objects(broken: dict[str, Any], field: str, rule: str) -> None:
    assert told(broken) == [(field, rule)]


CLAIMS: list[tuple[dict[str, Any], str]] = [
    ({"volumeName": "pv-1"}, "volumeName"),
    ({"dataSource": {"kind": "PersistentVolumeClaim", "name": "data-hb-other-0"}}, "dataSource"),
    ({"dataSourceRef": {"kind": "VolumeSnapshot", "name": "of-another"}}, "dataSourceRef"),
    (
        {"dataSourceRef": {"kind": "PersistentVolumeClaim", "name": f"{RELEASE}-data", "namespace": "x"}},
        "dataSourceRef.namespace",
    ),
]


@pytest.mark.bug(13)
@pytest.mark.parametrize(("spec", "field"), CLAIMS)
def test_a_claim_is_no_copy_of_anothers(spec: dict[str, Any], field: str) -> None:
    ephemeral = pod(**volume(ephemeral={"volumeClaimTemplate": {"spec": spec}}))
    stateful = workload("StatefulSet", pod())
    stateful["spec"]["volumeClaimTemplates"] = [{"metadata": {"name": "data"}, "spec": spec}]

    assert [each for each, _ in told(obj("PersistentVolumeClaim", spec=spec))] == [f"spec.{field}"]
    assert [each for each, _ in told(stateful)] == [f"spec.volumeClaimTemplates[0].spec.{field}"]
    assert [each for each, _ in told(workload("Deployment", ephemeral))] == [
        f"spec.template.spec.volumes[0].ephemeral.volumeClaimTemplate.spec.{field}"
    ]


@pytest.mark.parametrize("kind", WORKLOADS)
def test_a_pod_does_not_take_what_is_sent_to_another_instance(kind: str) -> None:
    labels = {"app.kubernetes.io/instance": "hb-other"}
    (violation,) = found(workload(kind, pod(), labels=labels))
    assert violation.field.endswith("template.metadata.labels[app.kubernetes.io/instance]")
    assert violation.grant == ""


def test_a_violation_reads_as_a_sentence() -> None:
    (violation,) = found(
        workload("Deployment", {"containers": [container(securityContext={"privileged": True})]}),
    )
    assert str(violation) == (
        f"Deployment {RELEASE}: spec.template.spec.containers[0].securityContext.privileged: privileged "
        "containers are not allowed (Pod Security Standards, baseline: Privileged Containers) "
        "(grant: pod_security: privileged)"
    )


def test_a_binding_may_use_what_its_instance_has() -> None:
    job = workload("Job", pod(**volume(secret={"secretName": f"{RELEASE}-admin"})))
    job["metadata"] = {"name": f"{RELEASE}-0123456789abcdef-make", "annotations": {"helm.sh/hook": "post-install"}}
    assert told(job) == []
    assert told(job, release=RELEASE[:-1]) != [], "the name of another release is no prefix of this one's objects"


@pytest.mark.parametrize("kind", ["Secret", "ConfigMap"])
def test_what_is_made_under_one_kind_is_no_other(kind: str) -> None:
    other = {"Secret": "ConfigMap", "ConfigMap": "Secret"}[kind]
    reference = {f"{kind[0].lower()}{kind[1:]}Ref": {"name": "mine"}}
    user = workload("Deployment", {"containers": [container(envFrom=[reference])]})
    assert told(obj(kind, name="mine"), user) == []
    assert len(told(obj(other, name="mine"), user)) == 1


def test_every_object_is_told_with_every_rule() -> None:
    bad = workload("Deployment", pod(hostNetwork=True, hostPID=True))
    assert len(told(bad, bad, obj("Node"))) == 5


def test_the_namespace_may_be_named() -> None:
    assert told(obj("ConfigMap") | {"metadata": {"name": "a", "namespace": NAMESPACE}}) == []


def test_what_another_broker_has_installed_is_named_otherwise() -> None:
    """Its Helm release has a name that somebody chose: it is good in labels, but no object is known by it."""

    def hook(name: str) -> dict[str, Any]:
        labels = {"app.kubernetes.io/instance": "mydb"}
        return obj("ConfigMap") | {
            "metadata": {"name": name, "labels": labels, "annotations": {"helm.sh/hook": "test"}}
        }

    selecting = obj("Service", name="helmbroker-mydb", spec={"selector": {"app.kubernetes.io/instance": "mydb"}})
    assert told(hook("helmbroker-mydb-make"), selecting, release="mydb") == []
    for name in ("mydb", "mydb-make", "helmbroker-mydb2"):
        assert told(hook(name), release="mydb") == [("metadata.name", "hooks must be named after the Helm release")]
