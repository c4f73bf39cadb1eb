"""KubeSurvey over a fake API server: which releases there are, what is gone of them, and who changed what."""

from __future__ import annotations

from typing import Any

import pytest

from helmbroker.broker.domain import naming
from helmbroker.broker.domain.cluster import HelmStatus
from helmbroker.broker.domain.drift import SeenRelease
from helmbroker.broker.domain.naming import ReleaseRef
from helmbroker.broker.kube.cluster import KubeCluster
from helmbroker.broker.kube.managed_fields import changed_fields
from helmbroker.broker.kube.survey import KubeSurvey
from tests.fakes.kube import FakeKube
from tests.fakes.release_secrets import StoredRelease, stored_release

NAMESPACE, BROKER = "instances", "0123456789abcdef"
REF = ReleaseRef(NAMESPACE, "hb-1")
OURS = {naming.LABEL_BROKER: BROKER}
LABELS = {"app.kubernetes.io/managed-by": "Helm"}
TEMPLATE: dict[str, Any] = {"spec": {"containers": [{"name": "main", "image": "x:1"}]}}
SET: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "StatefulSet",
    "metadata": {"name": "hb-1", "namespace": NAMESPACE, "labels": LABELS},
    "spec": {"replicas": 2, "template": TEMPLATE, "volumeClaimTemplates": [{"metadata": {"name": "data"}}]},
}
SECRET: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": "hb-1-admin", "namespace": NAMESPACE},
}


def claim(number: int) -> dict[str, Any]:
    name = f"data-hb-1-{number}"
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name, "namespace": NAMESPACE}}


@pytest.fixture
def kube() -> FakeKube:
    made = FakeKube(NAMESPACE)
    for revision, status in ((1, HelmStatus.SUPERSEDED), (2, HelmStatus.DEPLOYED)):
        made.create(stored_release(StoredRelease(REF, revision, status, dict(OURS), workloads=[SET, SECRET])))
    for obj in (SET, SECRET, claim(0), claim(1)):
        made.create(obj)
    return made


def look(kube: FakeKube) -> list[SeenRelease]:
    return KubeSurvey(kube).releases(NAMESPACE, BROKER)


def test_the_newest_revision_is_seen_with_nothing_missing(kube: FakeKube) -> None:
    assert look(kube) == [SeenRelease(REF, 2, HelmStatus.DEPLOYED, OURS)]


def test_releases_of_others_are_not_seen(kube: FakeKube) -> None:
    kube.create(stored_release(StoredRelease(ReleaseRef(NAMESPACE, "theirs"))))
    kube.create(
        stored_release(StoredRelease(ReleaseRef(NAMESPACE, "hb-2"), labels={naming.LABEL_BROKER: "another"}))
    )
    assert [each.ref for each in look(kube)] == [REF]


@pytest.mark.parametrize(
    ("kind", "name"),
    [("StatefulSet", "hb-1"), ("Secret", "hb-1-admin"), ("PersistentVolumeClaim", "data-hb-1-1")],
)
def test_what_is_gone_is_named(kube: FakeKube, kind: str, name: str) -> None:
    kube.delete(kind, NAMESPACE, name)
    (seen,) = look(kube)
    assert seen.missing == (f"{kind} {name}",)


@pytest.mark.parametrize("labels", [{}, OURS, {**OURS, naming.LABEL_INSTANCE: "i"}])
def test_a_selector_is_one_that_a_server_reads(labels: dict[str, str]) -> None:
    """It has no empty requirement: the fake server would not mind."""
    asked: list[object] = []

    class Asked(FakeKube):
        def list(self, kind: str, namespace: str | None, *, labels: Any = None, fields: Any = None) -> list[Any]:
            asked.append(labels)
            return []

    KubeCluster(Asked(NAMESPACE)).records(NAMESPACE, labels)
    (text,) = asked
    assert all(str(text).split(",")), text
    assert len(str(text).split(",")) == 1 + len(labels)


def test_a_look_takes_few_requests(kube: FakeKube) -> None:
    """However many releases there are: a list of each kind."""
    for number in range(2, 30):
        name = f"hb-{number}"
        metadata = {"name": name, "namespace": NAMESPACE, "labels": LABELS}
        other = {**SET, "metadata": metadata, "spec": {"replicas": 0, "template": TEMPLATE}}
        kube.create(other)
        kube.create(
            stored_release(StoredRelease(ReleaseRef(NAMESPACE, name), labels=dict(OURS), workloads=[other]))
        )
    kube.calls.clear()
    assert len(look(kube)) == 29
    assert len(kube.calls) <= 6, "and one for the Secret, which lacks the label here"


def entry(manager: str, fields: dict[str, Any], **more: str) -> dict[str, Any]:
    return {"manager": manager, "operation": "Update", "fieldsType": "FieldsV1", "fieldsV1": fields, **more}


MAIN = 'k:{"name":"main"}'
SPEC: dict[str, Any] = {"f:template": {"f:spec": {"f:containers": {MAIN: {".": {}, "f:image": {}}}}}}
CASES: dict[str, tuple[list[dict[str, Any]], dict[str, Any], list[str]]] = {
    "nobody": ([entry("helm", {"f:spec": SPEC})], {}, []),
    "scaled": (
        [entry("kubectl", {"f:spec": {"f:replicas": {}}}, subresource="scale")],
        {"replicas": 5},
        ["spec.replicas by kubectl"],
    ),
    "scaled, and back again": ([entry("kubectl", {"f:spec": {"f:replicas": {}}}, subresource="scale")], {}, []),
    "scaled to nothing, which no manager owns": ([], {"replicas": 0}, ["spec.replicas"]),
    "another image": (
        [entry("kubectl-set", {"f:spec": SPEC})],
        {"template": {"spec": {"containers": [{"name": "main", "image": "x:2"}]}}},
        ["spec.template.spec.containers[main].image by kubectl-set"],
    ),
    "an autoscaler": (
        [entry("kube-controller-manager", {"f:spec": {"f:replicas": {}}}, subresource="scale")],
        {"replicas": 5},
        [],
    ),
    "status": (
        [entry("someone", {"f:spec": {"f:minReadySeconds": {}}}, subresource="status")],
        {"minReadySeconds": 5},
        [],
    ),
    "labels alone": ([entry("kubectl-label", {"f:metadata": {"f:labels": {"f:a": {}}}})], {}, []),
    "a restart": (
        [
            entry(
                "kubectl-rollout",
                {"f:spec": {"f:template": {"f:metadata": {"f:annotations": {"f:restartedAt": {}}}}}},
            )
        ],
        {"template": {**TEMPLATE, "metadata": {"annotations": {"restartedAt": "now"}}}},
        [],
    ),
    "something added": (
        [entry("kubectl-edit", {"f:spec": {"f:minReadySeconds": {}}})],
        {"minReadySeconds": 5},
        ["spec.minReadySeconds by kubectl-edit"],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_only_what_others_really_changed_is_told(name: str) -> None:
    managed, spec, expected = CASES[name]
    live = {**SET, "metadata": {"name": "hb-1", "managedFields": managed}, "spec": {**SET["spec"], **spec}}
    assert changed_fields(live, SET, "helm") == expected


def test_data_counts_too() -> None:
    managed = [entry("kubectl-edit", {"f:data": {"f:a": {}}})]
    live = {"metadata": {"managedFields": managed}, "data": {"a": "new"}}
    assert changed_fields(live, {"data": {"a": "old"}}, "helm") == ["data.a by kubectl-edit"]
