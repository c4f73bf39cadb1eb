"""KubeCluster over a fake API server, where the contract (tests/contract/test_cluster.py) cannot reach."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from helmbroker.broker.domain.cluster import NotReady, Ready
from helmbroker.broker.domain.helm_errors import ClusterRefused, ClusterUnavailable
from helmbroker.broker.domain.naming import ReleaseRef
from helmbroker.broker.kube.cluster import KubeCluster
from helmbroker.kubeapi.errors import Conflict, Forbidden, Invalid, KubeError, Unauthorized, Unreachable
from tests.fakes.kube import FakeKube
from tests.fakes.release_secrets import StoredRelease, stored_release

CASES: dict[str, dict[str, Any]] = json.loads((Path(__file__).parent / "observed.json").read_text())
VERSIONS = {"StatefulSet": "apps/v1", "Deployment": "apps/v1", "Job": "batch/v1"}
NAMESPACE = "back-obs"
REF = ReleaseRef(NAMESPACE, "hb-1")


@pytest.fixture
def kube() -> FakeKube:
    return FakeKube(NAMESPACE)


@pytest.fixture
def cluster(kube: FakeKube) -> KubeCluster:
    return KubeCluster(kube)


def show(kube: FakeKube, case: str) -> dict[str, Any]:
    """Put a recorded case into the server, uids as they were given anew; the workload."""
    found = copy.deepcopy(CASES[case])
    uids = {}
    workload = found["workload"]
    objects = [
        (VERSIONS[workload["kind"]], workload),
        *(("v1", pod | {"kind": "Pod"}) for pod in found["pods"]),
    ]
    for version, obj in objects:
        obj["metadata"]["namespace"] = NAMESPACE
        made = kube.create({"apiVersion": version, **obj})
        uids[obj["metadata"].get("uid")] = made["metadata"]["uid"]
        if "observedGeneration" in obj["status"]:
            obj["status"]["observedGeneration"] = made["metadata"]["generation"]
        kube.set_status(obj["kind"], NAMESPACE, obj["metadata"]["name"], obj["status"])
    for event in found["events"]:
        event["metadata"]["namespace"] = NAMESPACE
        event["involvedObject"]["uid"] = uids.get(event["involvedObject"]["uid"])
        kube.create({"apiVersion": "v1", **event})
    bare: dict[str, Any] = {"apiVersion": VERSIONS[workload["kind"]], "kind": workload["kind"]}
    return {**bare, "metadata": {"name": workload["metadata"]["name"]}}


@pytest.mark.parametrize(
    ("case", "told"),
    [
        ("image", "cannot be pulled"),
        ("crash", "ended with exit code 7 (Error): it cannot work"),
        ("unschedulable", "cannot be scheduled"),
        ("no-class", 'storageclass.storage.k8s.io "absent" not found'),
        ("quota", "quota q is exceeded"),
        ("job-failed", "the reason (exit code 4)"),
    ],
)
def test_all_that_is_needed_is_asked_for(kube: FakeKube, cluster: KubeCluster, case: str, told: str) -> None:
    kube.create(stored_release(StoredRelease(REF, workloads=[show(kube, case)])))
    state = cluster.readiness(REF)
    assert isinstance(state, NotReady)
    assert state.hopeless
    assert told in state.reason


def with_room(kube: FakeKube) -> dict[str, Any]:
    """A pod that asks for more than the only node has; the workload."""
    (recorded,) = copy.deepcopy(CASES["too-big"]["nodes"])
    kube.create({"apiVersion": "v1", **recorded})
    kube.set_status("Node", None, recorded["metadata"]["name"], recorded["status"])
    return show(kube, "too-big")


ROOM = "and the node with most room has 2 CPU and 23.35 GiB free"


def test_what_is_asked_for_stands_beside_what_is_free(kube: FakeKube, cluster: KubeCluster) -> None:
    """The long lists are asked for once, however often somebody looks."""
    kube.create(stored_release(StoredRelease(REF, workloads=[with_room(kube)])))
    for _ in range(3):
        state = cluster.readiness(REF)
        assert isinstance(state, NotReady)
        assert ROOM in state.reason
    assert [call for call in kube.calls if call[1] == "Node"][1:] == [("list", "Node", None, None)]


@pytest.mark.parametrize("kind", ["Node", "Pod"])
def test_without_rights_over_the_cluster_only_what_is_asked_for_is_told(
    kube: FakeKube, cluster: KubeCluster, kind: str
) -> None:
    kube.create(stored_release(StoredRelease(REF, workloads=[with_room(kube)])))

    def before(verb: str, at_kind: str, namespace: str | None, _name: str | None) -> None:
        if (verb, at_kind, namespace) == ("list", kind, None):
            raise Forbidden("list", "not yours")

    kube.before = before
    state = cluster.readiness(REF)
    assert isinstance(state, NotReady)
    assert "it asks 80 CPU and 400 GiB. Ask for less" in state.reason


def test_a_claim_that_names_no_class_says_so(kube: FakeKube, cluster: KubeCluster) -> None:
    claim = {"kind": "PersistentVolumeClaim", "metadata": {"name": "data-no-provisioner-0", "namespace": NAMESPACE}}
    kube.create({"apiVersion": "v1", **claim, "spec": {"accessModes": ["ReadWriteOnce"]}})
    kube.create(stored_release(StoredRelease(REF, workloads=[show(kube, "no-provisioner")])))
    state = cluster.readiness(REF)
    assert isinstance(state, NotReady)
    assert "there is no default StorageClass" in state.reason


def test_a_silent_node_is_told(kube: FakeKube, cluster: KubeCluster) -> None:
    """Its pod is said to run, and is not ready, long after it does not run any more."""
    workload = show(kube, "ready")
    condition = {"type": "Ready", "status": "Unknown", "message": "Kubelet stopped posting node status."}
    kube.create({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node1"}})
    kube.set_status("Node", None, "node1", {"conditions": [condition]})
    (pod,) = copy.deepcopy(CASES["ready"]["pods"])
    pod["status"]["conditions"] = [{"type": "Ready", "status": "False"}]
    kube.set_status("Pod", NAMESPACE, "ready-0", pod["status"])
    kube.set_status("StatefulSet", NAMESPACE, "ready", {"observedGeneration": 1, "readyReplicas": 0})
    kube.create(stored_release(StoredRelease(REF, workloads=[workload])))
    state = cluster.readiness(REF)
    assert isinstance(state, NotReady)
    assert state.reason.startswith("pod ready-0 cannot be reached: its node node1 is not ready (Kubelet stopped")


def test_what_is_ready_costs_two_requests(kube: FakeKube, cluster: KubeCluster) -> None:
    kube.create(stored_release(StoredRelease(REF, workloads=[show(kube, "ready")])))
    kube.calls.clear()
    assert cluster.readiness(REF) == Ready()
    assert [verb for verb, *_ in kube.calls] == ["list", "get"]


def test_a_workload_that_somebody_removed_is_hopeless(kube: FakeKube, cluster: KubeCluster) -> None:
    workload = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}}
    kube.create(stored_release(StoredRelease(REF, workloads=[workload])))
    assert cluster.readiness(REF) == NotReady("Deployment web is gone. Somebody else removed it", hopeless=True)


@pytest.mark.parametrize(
    ("case", "told"),
    [
        ("job-failed", "Job job-failed: the reason (exit code 4)"),
        ("job-image", "Job job-image: Pod job-image-lml8s: Failed to pull image"),
        ("job-pulls", "Job job-pulls: image nowhere.invalid/x:1"),
        ("job-late", "Job job-late: Job was active longer than specified deadline"),
    ],
)
def test_a_failed_hook_tells_its_cause(kube: FakeKube, cluster: KubeCluster, case: str, told: str) -> None:
    show(kube, case)
    kube.create(stored_release(StoredRelease(REF, jobs=["absent", case])))
    cause = cluster.failed_job(REF)
    assert cause is not None
    assert cause.startswith(told)


def refusing(kube: FakeKube, error: type[KubeError], *, verb: str = "list", kind: str | None = None) -> None:
    def before(at_verb: str, at_kind: str, _namespace: str | None, _name: str | None) -> None:
        if at_verb == verb and kind in (None, at_kind):
            raise error(f"{at_verb} {at_kind}", "told so")

    kube.before = before


@pytest.mark.parametrize("error", [Unreachable, Unauthorized])
def test_worth_another_try(kube: FakeKube, cluster: KubeCluster, error: type[KubeError]) -> None:
    """Tokens are rotated: the next one may be accepted."""
    refusing(kube, error)
    with pytest.raises(ClusterUnavailable, match="The cluster cannot be used now: told so"):
        cluster.release(REF)


@pytest.mark.parametrize("error", [Forbidden, Invalid])
def test_not_worth_another_try(kube: FakeKube, cluster: KubeCluster, error: type[KubeError]) -> None:
    refusing(kube, error)
    with pytest.raises(ClusterRefused, match="The cluster refused a call of the broker: cannot list Sec"):
        cluster.release(REF)


def test_kinds_that_the_broker_has_no_rights_to_are_not_swept(kube: FakeKube, cluster: KubeCluster) -> None:
    """With the same rights Helm can have made none of them."""
    refusing(kube, Forbidden, kind="CronJob")
    cluster.sweep(REF, claims=True)
    refusing(kube, Forbidden, kind="Job")
    with pytest.raises(ClusterRefused):
        cluster.sweep(REF, claims=True)


def test_what_is_replaced_while_it_is_swept_stays(kube: FakeKube, cluster: KubeCluster) -> None:
    metadata = {"name": "job", "namespace": NAMESPACE, "labels": {"app.kubernetes.io/instance": "hb-1"}}
    kube.create({"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": {}})
    refusing(kube, Conflict, verb="delete")
    cluster.sweep(REF, claims=False)


@pytest.mark.parametrize("verb", ["get", "create"])
def test_a_broker_of_one_namespace_needs_no_right_to_namespaces(
    kube: FakeKube, cluster: KubeCluster, verb: str
) -> None:
    refusing(kube, Forbidden, verb=verb, kind="Namespace")
    cluster.ensure_namespace("some-other")
    refusing(kube, Unreachable, verb=verb, kind="Namespace")
    with pytest.raises(ClusterUnavailable):
        cluster.ensure_namespace("some-other")
