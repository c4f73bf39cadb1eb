"""What the StatefulSet controller does, one step at a time, on a FakeKube.

As Kubernetes does it with `podManagementPolicy: OrderedReady`: pods are made in order, the last one is replaced
first, and nothing goes on as long as a pod is not ready, not even on the way back. Deleted pods go at once.
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Callable

from helmbroker.kubeapi.port import Obj
from tests.fakes.kube import FakeKube

REVISION = "controller-revision-hash"


def step_stateful_set(kube: FakeKube, stateful_set: Obj, fate: Callable[[Obj], Obj]) -> None:
    """One step of one StatefulSet; `fate`: the status that a pod comes to have."""
    metadata, desired = stateful_set["metadata"], stateful_set["spec"].get("replicas", 1)
    namespace, revision = metadata["namespace"], _revision(stateful_set)
    for pod in _pods(kube, stateful_set):
        if not _ready(pod):
            kube.set_status("Pod", namespace, pod["metadata"]["name"], fate(pod))
    _go_on(kube, stateful_set, revision)
    pods = _pods(kube, stateful_set)
    ready = sum(1 for pod in pods if _ready(pod))
    status = {
        "observedGeneration": metadata["generation"],
        "updateRevision": revision,
        "replicas": len(pods),
        "updatedReplicas": sum(1 for pod in pods if pod["metadata"]["labels"][REVISION] == revision),
        "readyReplicas": ready,
        "availableReplicas": ready,
    }
    kube.set_status("StatefulSet", namespace, metadata["name"], status)
    assert len(pods) <= desired


def _go_on(kube: FakeKube, stateful_set: Obj, revision: str) -> None:
    metadata = stateful_set["metadata"]
    pods = {pod["metadata"]["name"]: pod for pod in _pods(kube, stateful_set)}
    names = [f"{metadata['name']}-{index}" for index in range(stateful_set["spec"].get("replicas", 1))]
    for name in names:
        if name not in pods:
            kube.create(_pod(stateful_set, name, revision))
            return
        if not _ready(pods[name]):
            return
    for name in reversed(names):
        if pods[name]["metadata"]["labels"][REVISION] != revision:
            kube.delete("Pod", metadata["namespace"], name)
            return


def _pods(kube: FakeKube, stateful_set: Obj) -> list[Obj]:
    metadata = stateful_set["metadata"]
    return [
        pod
        for pod in kube.list("Pod", metadata["namespace"])
        if any(owner["uid"] == metadata["uid"] for owner in pod["metadata"].get("ownerReferences") or ())
    ]


def _pod(stateful_set: Obj, name: str, revision: str) -> Obj:
    template, metadata = copy.deepcopy(stateful_set["spec"]["template"]), stateful_set["metadata"]
    owner = {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": metadata["name"], "uid": metadata["uid"]}
    described = {
        **template["metadata"],
        "name": name,
        "namespace": metadata["namespace"],
        "ownerReferences": [{**owner, "controller": True}],
    }
    described["labels"] = {**template["metadata"]["labels"], REVISION: revision}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": described, "spec": template["spec"]}


def _revision(stateful_set: Obj) -> str:
    template = copy.deepcopy(stateful_set["spec"]["template"])
    if not template["metadata"].get("annotations"):
        template["metadata"].pop("annotations", None)
    return hashlib.sha256(json.dumps(template, sort_keys=True).encode()).hexdigest()[:10]


def _ready(pod: Obj) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)
