"""Whose objects a pod uses, and which of the node."""

from __future__ import annotations

from typing import Any

import pytest

from helmbroker.broker.gate import Grants
from tests.unit.gate.manifests import (
    GOOD,
    GROUPS,
    WORKLOADS,
    container,
    found,
    path_of_pod,
    pod,
    told,
    volume,
    workload,
)
from tests.unit.gate.test_pod_security import _mutants

_CLAIM = "PersistentVolumeClaim"
PODS: list[tuple[dict[str, Any], str, str, str]] = [
    ({"serviceAccountName": "helmbroker"}, "serviceAccountName", "ServiceAccount", "helmbroker"),
    ({"serviceAccount": "helmbroker"}, "serviceAccount", "ServiceAccount", "helmbroker"),
    ({"imagePullSecrets": [{"name": "hb-other"}]}, "imagePullSecrets[0].name", "Secret", "hb-other"),
    (volume(secret={"secretName": "hb-other"}), "volumes[0].secret.secretName", "Secret", "hb-other"),
    (volume(configMap={"name": "hb-other"}), "volumes[0].configMap.name", "ConfigMap", "hb-other"),
    (
        volume(persistentVolumeClaim={"claimName": "data-hb-other-0"}),
        "volumes[0].persistentVolumeClaim.claimName",
        _CLAIM,
        "data-hb-other-0",
    ),
    (
        volume(projected={"sources": [{}, {"secret": {"name": "hb-other"}}]}),
        "volumes[0].projected.sources[1].secret.name",
        "Secret",
        "hb-other",
    ),
    (
        volume(projected={"sources": [{"configMap": {"name": "other"}}]}),
        "volumes[0].projected.sources[0].configMap.name",
        "ConfigMap",
        "other",
    ),
]
CONTAINERS: list[tuple[dict[str, Any], str, str]] = [
    (
        {"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "hb-other", "key": "k"}}}]},
        "env[0].valueFrom.secretKeyRef.name",
        "Secret",
    ),
    (
        {"env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "hb-other", "key": "k"}}}]},
        "env[0].valueFrom.configMapKeyRef.name",
        "ConfigMap",
    ),
    ({"envFrom": [{"secretRef": {"name": "hb-other"}}]}, "envFrom[0].secretRef.name", "Secret"),
    ({"envFrom": [{"configMapRef": {"name": "hb-other"}}]}, "envFrom[0].configMapRef.name", "ConfigMap"),
]


@pytest.mark.bug(13, 57)
@pytest.mark.parametrize(("fields", "field", "kind", "name"), PODS)
@pytest.mark.parametrize("workload_kind", WORKLOADS)
def test_pods_use_what_is_their_own(
    workload_kind: str, fields: dict[str, Any], field: str, kind: str, name: str
) -> None:
    bad = workload(workload_kind, pod(**fields))
    (violation,) = found(bad)
    assert violation.field == f"{path_of_pod(workload_kind)}.{field}"
    assert violation.rule == f"{kind} {name} is not the instance's own"
    assert violation.grant == f"uses: [{kind}/{name}]"
    assert found(bad, grants=Grants(uses=frozenset({(kind, name)}))) == []


@pytest.mark.bug(13, 57)
@pytest.mark.parametrize(("fields", "field", "kind"), CONTAINERS)
@pytest.mark.parametrize("group", GROUPS)
def test_containers_use_what_is_their_own(group: str, fields: dict[str, Any], field: str, kind: str) -> None:
    bad = workload("Job", {"containers": [], group: [container(**fields)]})
    assert told(bad) == [(f"spec.template.spec.{group}[0].{field}", f"{kind} hb-other is not the instance's own")]
    assert told(bad, grants=Grants(uses=frozenset({(kind, "hb-other")}))) == []


@pytest.mark.bug(13)
@pytest.mark.parametrize("kind", ["nfs", "csi", "iscsi", "image", "flexVolume", "gitRepo", "fc", "rbd"])
def test_volumes_of_other_types_are_granted_one_by_one(kind: str) -> None:
    bad = workload("Deployment", pod(**volume(**{kind: {}})))
    (violation,) = found(bad)
    assert (violation.rule, violation.grant) == (f"{kind} volumes are not allowed", f"volume_types: [{kind}]")
    assert found(bad, grants=Grants(volume_types=frozenset({kind}))) == []
    assert found(bad, grants=Grants(volume_types=frozenset({"other"}))) != []


def test_a_granted_volume_still_logs_in_with_an_own_secret() -> None:
    bad = pod(**volume(csi={"driver": "x", "nodePublishSecretRef": {"name": "hb-other"}}))
    grants = Grants(volume_types=frozenset({"csi"}))
    assert [rule for _, rule in told(workload("Job", bad), grants=grants)] == [
        "Secret hb-other is not the instance's own"
    ]


@pytest.mark.bug(13)
@pytest.mark.parametrize(
    ("path", "granted"),
    [
        ("/var/log", True),
        ("/var/log/pods", True),
        ("/var/log/", True),
        ("/var/logs", False),
        ("/var", False),
        ("/", False),
        ("/var/log/../lib", False),
        ("/var/log/../log", False),
        ("", False),
        (None, False),
    ],
)
def test_folders_of_the_node_are_granted_with_what_is_below(path: str | None, granted: bool) -> None:
    bad = workload("Deployment", pod(**volume(hostPath={"path": path})))
    (violation,) = found(bad)
    assert violation.field == "spec.template.spec.volumes[0].hostPath.path"
    assert violation.rule.endswith("(Pod Security Standards, baseline: HostPath Volumes)")
    assert (found(bad, grants=Grants(host_paths=("/var/log",))) == []) == granted


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"priorityClassName": "system-node-critical"}, "priorityClassName"),
        ({"nodeName": "control-plane"}, "nodeName"),
        ({"resourceClaims": [{"name": "gpu", "resourceClaimName": "of-another"}]}, "resourceClaims"),
    ],
)
def test_what_nobody_can_grant(fields: dict[str, Any], field: str) -> None:
    (violation,) = found(workload("Deployment", pod(**fields)))
    assert (violation.field, violation.grant) == (f"spec.template.spec.{field}", "")


def test_no_shape_gets_the_gate_to_stumble() -> None:
    for mutant in (mutant for good in GOOD for mutant in _mutants(good)):
        found(mutant)
