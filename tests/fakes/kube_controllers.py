"""PlayController: what the Deployment controller, the ReplicaSet controller and the kubelet do, one step at a time.

On a FakeKube: new ReplicaSets by pod template (an older one with the same template is taken again), one pod more
than wanted while rolling, old pods stop once enough new ones are ready, stopping pods go in the next step, images
that are missing are not pulled, an environment with BREAK makes the container crash, missing Secrets keep it from
being made. StatefulSets are played in `kube_sets`.
"""

from __future__ import annotations

import base64
import copy
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from helmbroker.kubeapi.port import Obj
from tests.fakes.kube import FakeKube
from tests.fakes.kube_sets import step_stateful_set

REVISION = "deployment.kubernetes.io/revision"
HASH = "pod-template-hash"
_KUBELET = "play.test/kubelet"  # a finalizer: deleted pods stay until the play's kubelet has stopped them


class PlayController:
    """Controllers of one FakeKube. `now` is the play's clock; each step takes `step_s` seconds."""

    def __init__(self, kube: FakeKube, *, step_s: float = 5.0) -> None:
        self.now = datetime.now(UTC)
        self._kube = kube
        self._step = timedelta(seconds=step_s)
        self._made = 0

    def step(self, namespace: str) -> None:
        """Let every Deployment and StatefulSet of a namespace go one step on."""
        self.now += self._step
        for deployment in self._kube.list("Deployment", namespace):
            self._stop_deleted(deployment)
            self._run_pods(deployment)
            current = self._current(deployment)
            self._scale(deployment, current)
            self._report(deployment, current)
        for stateful_set in self._kube.list("StatefulSet", namespace):
            step_stateful_set(self._kube, stateful_set, self._fate)

    def environment(self, namespace: str, pod_spec: Mapping[str, Any]) -> dict[str, str] | None:
        """What the first container is given; None when a Secret is missing."""
        found: dict[str, str] = {}
        container = pod_spec["containers"][0]
        for entry in container.get("envFrom") or ():
            secret = self._kube.get("Secret", namespace, entry["secretRef"]["name"])
            if secret is None:
                return None
            found |= {key: base64.b64decode(value).decode() for key, value in secret["data"].items()}
        return found | {entry["name"]: entry["value"] for entry in container.get("env") or ()}

    def pods(self, deployment: Obj) -> list[Obj]:
        """The pods that the Deployment's selector takes."""
        namespace = deployment["metadata"]["namespace"]
        return self._kube.list("Pod", namespace, labels=deployment["spec"]["selector"]["matchLabels"])

    def _current(self, deployment: Obj) -> Obj:
        namespace, name = deployment["metadata"]["namespace"], deployment["metadata"]["name"]
        mine = self._replica_sets(deployment)
        revisions = [int(each["metadata"]["annotations"][REVISION]) for each in mine]
        current = next((each for each in mine if _same_template(each, deployment)), None)
        if current is None:
            revision = str(max(revisions, default=0) + 1)
            current = self._kube.create(_replica_set(deployment, revision))
        elif int(current["metadata"]["annotations"][REVISION]) < max(revisions):
            revision = str(max(revisions) + 1)
            annotated = {"metadata": {"annotations": {REVISION: revision}}}
            current = self._kube.patch("ReplicaSet", namespace, current["metadata"]["name"], annotated)
        revision = current["metadata"]["annotations"][REVISION]
        self._kube.patch("Deployment", namespace, name, {"metadata": {"annotations": {REVISION: revision}}})
        return current

    def _replica_sets(self, deployment: Obj) -> list[Obj]:
        return [
            each
            for each in self._kube.list("ReplicaSet", deployment["metadata"]["namespace"])
            if each["metadata"]["ownerReferences"][0]["uid"] == deployment["metadata"]["uid"]
        ]

    def _scale(self, deployment: Obj, current: Obj) -> None:
        namespace, desired = deployment["metadata"]["namespace"], deployment["spec"].get("replicas", 1)
        if deployment["spec"].get("paused"):
            return
        live = [pod for pod in self.pods(deployment) if "deletionTimestamp" not in pod["metadata"]]
        new = [pod for pod in live if _owner(pod) == current["metadata"]["uid"]]
        old = [pod for pod in live if _owner(pod) != current["metadata"]["uid"]]
        for pod in [pod for pod in old if not _ready(pod)]:
            self._kube.delete("Pod", namespace, pod["metadata"]["name"])
            live.remove(pod)
        if len(new) < desired and len(live) <= desired:
            self._made += 1
            self._kube.create(_pod(current, f"{current['metadata']['name']}-{self._made}"))
        ready = [pod for pod in live if _ready(pod)]
        old = [pod for pod in old if pod in ready]
        for pod in old[: max(0, len(ready) - desired)]:
            self._kube.delete("Pod", namespace, pod["metadata"]["name"])
        for each in self._replica_sets(deployment):
            is_current = each["metadata"]["uid"] == current["metadata"]["uid"]
            count = desired if is_current else sum(1 for pod in old if _owner(pod) == each["metadata"]["uid"])
            self._kube.patch("ReplicaSet", namespace, each["metadata"]["name"], {"spec": {"replicas": count}})

    def _run_pods(self, deployment: Obj) -> None:
        for pod in self.pods(deployment):
            if "deletionTimestamp" in pod["metadata"] or _ready(pod):
                continue
            namespace, name = pod["metadata"]["namespace"], pod["metadata"]["name"]
            self._kube.set_status("Pod", namespace, name, self._fate(pod))

    def _fate(self, pod: Obj) -> Obj:
        container = pod["spec"]["containers"][0]
        told = {"name": container["name"], "image": container["image"], "ready": False, "restartCount": 0}
        variables = self.environment(pod["metadata"]["namespace"], pod["spec"])
        if variables is None:
            waiting = {"reason": "CreateContainerConfigError", "message": "secret not found"}
        elif "missing" in container["image"]:
            waiting = {"reason": "ImagePullBackOff", "message": f"{container['image']}: not found"}
        elif variables.get("BREAK"):
            waiting = {"reason": "CrashLoopBackOff", "message": "back-off 20s restarting failed container"}
            said = "starting\n" + " ".join(sorted(variables.values()))
            ended = {"exitCode": 3, "reason": "Error", "message": said}
            told |= {"restartCount": 2, "lastState": {"terminated": ended}}
        else:
            return self._pod_status("Running", told | {"ready": True, "state": {"running": {}}}, ready=True)
        return self._pod_status("Pending", told | {"state": {"waiting": waiting}}, ready=False)

    def _pod_status(self, phase: str, container: Obj, *, ready: bool) -> Obj:
        long_ago = (self.now - timedelta(minutes=5)).strftime("%Y-%m-%dT%H:%M:%SZ")
        conditions = [
            {"type": "PodScheduled", "status": "True", "lastTransitionTime": long_ago},
            {"type": "Ready", "status": str(ready)},
        ]
        return {"phase": phase, "conditions": conditions, "containerStatuses": [container]}

    def _stop_deleted(self, deployment: Obj) -> None:
        for pod in self.pods(deployment):
            if "deletionTimestamp" in pod["metadata"]:
                metadata = pod["metadata"]
                self._kube.patch("Pod", metadata["namespace"], metadata["name"], {"metadata": {"finalizers": None}})

    def _report(self, deployment: Obj, current: Obj) -> None:
        live = [pod for pod in self.pods(deployment) if "deletionTimestamp" not in pod["metadata"]]
        ready = sum(1 for pod in live if _ready(pod))
        status = {
            "observedGeneration": deployment["metadata"]["generation"],
            "replicas": len(live),
            "updatedReplicas": sum(1 for pod in live if _owner(pod) == current["metadata"]["uid"]),
            "readyReplicas": ready,
            "availableReplicas": ready,
        }
        metadata = deployment["metadata"]
        self._kube.set_status("Deployment", metadata["namespace"], metadata["name"], status)


def _same_template(replica_set: Obj, deployment: Obj) -> bool:
    template = copy.deepcopy(replica_set["spec"]["template"])
    template["metadata"]["labels"].pop(HASH)
    wanted = copy.deepcopy(deployment["spec"]["template"])
    for each in (template, wanted):
        if not each["metadata"].get("annotations"):
            each["metadata"].pop("annotations", None)
    return bool(template == wanted)


def _replica_set(deployment: Obj, revision: str) -> Obj:
    metadata = deployment["metadata"]
    template = copy.deepcopy(deployment["spec"]["template"])
    template["metadata"]["labels"][HASH] = revision
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"{metadata['name']}-{revision}",
            "namespace": metadata["namespace"],
            "annotations": {REVISION: revision},
            "ownerReferences": [_reference(deployment)],
        },
        "spec": {"replicas": 0, "selector": {"matchLabels": template["metadata"]["labels"]}, "template": template},
    }


def _pod(replica_set: Obj, name: str) -> Obj:
    template = copy.deepcopy(replica_set["spec"]["template"])
    given = {"name": name, "namespace": replica_set["metadata"]["namespace"], "finalizers": [_KUBELET]}
    metadata = {**template["metadata"], **given, "ownerReferences": [_reference(replica_set)]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}


def _reference(owner: Obj) -> Obj:
    metadata = owner["metadata"]
    described = {"apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": metadata["name"]}
    return {**described, "uid": metadata["uid"], "controller": True}


def _owner(pod: Obj) -> str:
    return str(pod["metadata"]["ownerReferences"][0]["uid"])


def _ready(pod: Obj) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)
