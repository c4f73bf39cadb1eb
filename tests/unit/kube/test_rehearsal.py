"""A dry run of a release: what the API server would refuse, told as Helm would tell it."""

from __future__ import annotations

from typing import Any

import pytest

from helmbroker.broker.domain.helm_errors import ClusterUnavailable, HelmError, HelmFault
from helmbroker.broker.domain.naming import ReleaseRef
from helmbroker.broker.kube.cluster import KubeCluster
from helmbroker.kubeapi.errors import Conflict, Forbidden, Invalid, KubeError, NotFound, Unauthorized, Unreachable
from tests.fakes.kube import FakeKube
from tests.fakes.release_secrets import StoredRelease, stored_release

NAMESPACE = "instances"
REF = ReleaseRef(NAMESPACE, "hb-1")
_GIB = "1Gi"


@pytest.fixture
def kube() -> FakeKube:
    return FakeKube(NAMESPACE)


def obj(kind: str, version: str = "v1", *, hook: bool = False, **content: Any) -> dict[str, Any]:
    annotations = {"helm.sh/hook": "post-install"} if hook else {}
    return {"apiVersion": version, "kind": kind, "metadata": {"name": "x", "annotations": annotations}, **content}


def stateful_set(replicas: int = 1, memory: str = _GIB, claim: str | None = None) -> dict[str, Any]:
    resources = {"requests": {"cpu": "100m", "memory": memory}, "limits": {"memory": memory}}
    template = {"spec": {"containers": [{"name": "main", "image": "x", "resources": resources}]}}
    claims = (
        [{"metadata": {"name": "data"}, "spec": {"resources": {"requests": {"storage": claim}}}}] if claim else []
    )
    spec = {"replicas": replicas, "template": template, "volumeClaimTemplates": claims}
    return obj("StatefulSet", "apps/v1", spec=spec)


def job(memory: str = _GIB) -> dict[str, Any]:
    return obj("Job", "batch/v1", hook=True, spec={"template": stateful_set(1, memory)["spec"]["template"]})


def limit(kube: FakeKube, hard: dict[str, str], used: dict[str, str], **spec: Any) -> None:
    kube.create(
        {
            "apiVersion": "v1",
            "kind": "ResourceQuota",
            "metadata": {"name": "q", "namespace": NAMESPACE},
            "spec": spec,
        }
    )
    kube.set_status("ResourceQuota", NAMESPACE, "q", {"hard": hard, "used": used})


def refused(kube: FakeKube, *objects: dict[str, Any], force: bool = False) -> HelmError:
    with pytest.raises(HelmError) as caught:
        KubeCluster(kube).rehearse(REF, objects, force=force)
    return caught.value


def refuse(kube: FakeKube, error: KubeError, verb: str = "try to apply") -> None:
    def raising(asked: str, *_: object) -> None:
        if asked == verb:
            raise error

    kube.before = raising


def test_nothing_is_made(kube: FakeKube) -> None:
    KubeCluster(kube).rehearse(REF, [obj("ConfigMap"), stateful_set(), job()])
    assert [call[0] for call in kube.calls if call[0] != "list"] == [
        "try to apply",
        "try to apply",
        "try to create",
    ]
    assert kube.list("ConfigMap", NAMESPACE) == []


def test_a_namespace_that_is_not_there_refuses_nothing() -> None:
    KubeCluster(FakeKube()).rehearse(REF, [obj("ConfigMap")])


def test_kinds_that_are_not_known_are_left_to_helm(kube: FakeKube) -> None:
    KubeCluster(kube).rehearse(REF, [obj("ServiceMonitor", "monitoring.coreos.com/v1"), obj("Job", "batch/v2")])
    assert [call for call in kube.calls if call[0] != "list"] == []


def test_of_those_no_quantity_is_read_that_no_server_has_read(kube: FakeKube) -> None:
    KubeCluster(kube).rehearse(REF, [stateful_set(memory="a lot") | {"apiVersion": "apps/v1beta1"}])


def test_a_quantity_that_is_none_is_invalid(kube: FakeKube) -> None:
    for each in (stateful_set(memory="a lot"), stateful_set(claim="1 GB"), job("a lot")):
        assert refused(kube, each).fault is HelmFault.INVALID


def test_hooks_that_are_there_are_made_anew_by_helm(kube: FakeKube) -> None:
    there = job()
    kube.create({**there, "metadata": {**there["metadata"], "namespace": NAMESPACE}})
    KubeCluster(kube).rehearse(REF, [job("2Gi")])


def test_fields_of_others_are_told_unless_they_are_taken_back(kube: FakeKube) -> None:
    config = obj("ConfigMap", data={"a": "1"})
    kube.apply({**config, "metadata": {"name": "x", "namespace": NAMESPACE}}, field_manager="somebody")
    mine = obj("ConfigMap", data={"a": "2"})
    assert refused(kube, mine).fault is HelmFault.CONFLICT
    KubeCluster(kube).rehearse(REF, [mine], force=True)
    KubeCluster(kube, "somebody").rehearse(REF, [mine])


def test_a_release_of_helm_3_is_merged_which_knows_no_conflicts(kube: FakeKube) -> None:
    config = obj("ConfigMap", data={"a": "1"})
    kube.apply({**config, "metadata": {"name": "x", "namespace": NAMESPACE}}, field_manager="helm 3")
    mine = obj("ConfigMap", data={"a": "2"})
    kube.create(stored_release(StoredRelease(REF)))
    assert refused(kube, mine).fault is HelmFault.CONFLICT
    kube.create(stored_release(StoredRelease(REF, 2, client_side=True)))
    KubeCluster(kube).rehearse(REF, [mine])


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (Forbidden("apply x", "exceeded quota: q, requested: secrets=1, used: secrets=3"), HelmFault.QUOTA),
        (Forbidden("apply x", "maximum storage usage per PersistentVolumeClaim is 1Gi"), HelmFault.QUOTA),
        (Forbidden("apply x", 'roles is forbidden: User "b" cannot patch resource "roles"'), HelmFault.FORBIDDEN),
        (Forbidden("apply x", 'admission webhook "w" denied the request: no'), HelmFault.INVALID),
        (Forbidden("apply x", "namespace i because it is being terminated"), HelmFault.TERMINATING),
        (Invalid("apply x", "updates to statefulset spec are forbidden"), HelmFault.INVALID),
        (Conflict("apply x", "Apply failed with 1 conflict"), HelmFault.CONFLICT),
        (NotFound("apply x", "the server could not find the requested resource"), HelmFault.INVALID),
    ],
)
def test_what_the_server_says_is_told_as_helm_would(kube: FakeKube, error: KubeError, fault: HelmFault) -> None:
    refuse(kube, error)
    found = refused(kube, obj("ConfigMap"))
    assert (found.fault, found.detail) == (fault, str(error))


def test_a_webhook_with_effects_is_not_asked(kube: FakeKube) -> None:
    refuse(kube, Invalid("apply x", 'admission webhook "w" does not support dry run'))
    KubeCluster(kube).rehearse(REF, [obj("ConfigMap")])


@pytest.mark.parametrize("error", [Unreachable("apply x", "down"), Unauthorized("apply x", "no")])
@pytest.mark.parametrize("verb", ["try to apply", "list"])
def test_a_server_that_is_away_is_an_outage(kube: FakeKube, error: KubeError, verb: str) -> None:
    refuse(kube, error, verb)
    with pytest.raises(ClusterUnavailable):
        KubeCluster(kube).rehearse(REF, [obj("ConfigMap")])


@pytest.mark.parametrize(
    ("hard", "used", "objects", "told"),
    [
        ("requests.memory=3Gi", "requests.memory=2Gi", [stateful_set(2)], "2 GiB more needed, 1 GiB of 3 GiB left"),
        ("limits.memory=3Gi", "limits.memory=2Gi", [stateful_set(2)], "2 GiB more needed, 1 GiB of 3 GiB left"),
        ("memory=3Gi", "memory=2Gi", [stateful_set(2)], "2 GiB more needed, 1 GiB of 3 GiB left"),
        ("cpu=300m", "cpu=200m", [stateful_set(2)], "0.2 CPU more needed, 0.1 CPU of 0.3 CPU left"),
        ("pods=3", "pods=2", [stateful_set(2)], "2 pods more needed, 1 pods of 3 pods left"),
        ("requests.storage=3Gi", "requests.storage=2Gi", [stateful_set(2, claim="1Gi")], "2 GiB more needed"),
        ("persistentvolumeclaims=3", "persistentvolumeclaims=2", [stateful_set(2, claim="1Gi")], "claims: 2"),
        ("requests.memory=3Gi", "requests.memory=2Gi", [stateful_set(1), job("1Mi")], "1 GiB more needed"),
        ("requests.memory=3Gi", "requests.memory=4Gi", [stateful_set(1)], "0 GiB of 3 GiB left"),
    ],
)
def test_pods_are_counted_against_quotas(
    kube: FakeKube, hard: str, used: str, objects: list[dict[str, Any]], told: str
) -> None:
    """Of a StatefulSet the server is told nothing of its pods; they would never come."""
    (name, most), (_, taken) = hard.split("="), used.split("=")
    limit(kube, {name: most}, {name: taken})
    found = refused(kube, *objects)
    assert found.fault is HelmFault.QUOTA
    assert found.detail.startswith(f"exceeded quota q: {name}: ")
    assert told in found.detail


@pytest.mark.parametrize(
    ("hard", "objects"),
    [
        ("requests.memory=3Gi", [stateful_set(1)]),
        ("requests.memory=3Gi", [stateful_set(0), job(), job("512Mi")]),
        ("count/secrets=2", [obj("Secret")]),
        ("requests.memory=3Gi", [obj("Deployment", "apps/v1"), obj("CronJob", "batch/v1", spec={})]),
    ],
)
def test_what_there_is_room_for_passes(kube: FakeKube, hard: str, objects: list[dict[str, Any]]) -> None:
    name, most = hard.split("=")
    limit(kube, {name: most}, {name: "2" if name.startswith("count/") else "2Gi"})
    KubeCluster(kube).rehearse(REF, objects)


def test_what_runs_already_is_not_counted_again(kube: FakeKube) -> None:
    limit(kube, {"requests.memory": "3Gi"}, {"requests.memory": "2Gi"})
    stored = StoredRelease(REF, workloads=[stateful_set(2)])
    kube.create(stored_release(stored))
    KubeCluster(kube).rehearse(REF, [stateful_set(3)])
    assert refused(kube, stateful_set(4)).fault is HelmFault.QUOTA


def test_quotas_of_certain_pods_only_are_left_out(kube: FakeKube) -> None:
    limit(kube, {"pods": "1"}, {"pods": "1"}, scopes=["BestEffort"])
    KubeCluster(kube).rehearse(REF, [stateful_set()])


def test_a_broker_that_may_not_see_quotas_does_without(kube: FakeKube) -> None:
    limit(kube, {"pods": "1"}, {"pods": "1"})

    def raising(verb: str, kind: str, *_: object) -> None:
        if (verb, kind) == ("list", "ResourceQuota"):
            raise Forbidden("list ResourceQuotas", "no")

    kube.before = raising
    KubeCluster(kube).rehearse(REF, [stateful_set()])


def test_it_is_tried_in_the_name_of_whoever_is_to_make_it(kube: FakeKube) -> None:
    KubeCluster(kube).rehearse(REF, [obj("ConfigMap")], user="system:serviceaccount:instances:alice")
    KubeCluster(kube).rehearse(REF, [obj("ConfigMap")])
    assert kube.users == ["system:serviceaccount:instances:alice"]
