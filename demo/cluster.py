"""The cluster as the demo sees it: its namespaces, what is in them, and why something does not run."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterable
from typing import Any

from demo.places import LABEL
from demo.waiting import DemoFailed, until
from helmbroker.kubeapi.client import KubeClient
from helmbroker.kubeapi.errors import KubeError
from helmbroker.kubeapi.pods import ready, trouble
from helmbroker.kubeapi.port import Kube

Obj = dict[str, Any]

KUBECTL_S = 60.0
GONE_S = 180.0
LOG_LINES = 3
# What instances are made of. Events tell stories about objects and are none of them.
KINDS = (
    "Pod",
    "Secret",
    "ConfigMap",
    "Service",
    "ServiceAccount",
    "PersistentVolumeClaim",
    "Deployment",
    "StatefulSet",
    "ReplicaSet",
    "DaemonSet",
    "ControllerRevision",
    "Job",
    "CronJob",
    "PodDisruptionBudget",
    "NetworkPolicy",
    "EndpointSlice",
    "Role",
    "RoleBinding",
    "Lease",
)
OF_EVERY_NAMESPACE = frozenset({"ServiceAccount/default", "ConfigMap/kube-root-ca.crt"})


class Cluster:
    """A cluster behind KUBECONFIG. Raises DemoFailed with the reason."""

    def __init__(self, kube: Kube, kubectl: Callable[..., tuple[int, str]]) -> None:
        """`kubectl` takes arguments and gives exit status and output: for logs and for commands in pods."""
        self.kube = kube
        self._kubectl = kubectl

    @classmethod
    def connect(cls) -> Cluster:
        """The cluster of KUBECONFIG."""
        if not os.environ.get("KUBECONFIG"):
            raise DemoFailed('KUBECONFIG is not set: make sandbox-up && eval "$(sandbox/sandbox env)", or your own')
        try:
            kube = KubeClient.from_environment()
            kube.server_version()
        except KubeError as error:
            raise DemoFailed(f"no cluster: {error}; make sandbox-up, or mend KUBECONFIG") from error
        return cls(kube, kubectl)

    def make_namespace(self, name: str) -> None:
        """A namespace that carries the demo's label."""
        self.kube.create(
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {LABEL: "yes"}}}
        )
        until(
            lambda: self.kube.get("ServiceAccount", name, "default"),
            within_s=GONE_S,
            what=f"the default ServiceAccount of namespace {name}",
        )

    def remove_namespaces(self, names: Iterable[str]) -> list[str]:
        """Remove those of the namespaces that carry the demo's label, and wait until they are gone; their names.

        Raises DemoFailed when there is one of that name without the label: it is somebody else's.
        """
        found = []
        for name in names:
            namespace = self.kube.get("Namespace", None, name)
            if namespace is None:
                continue
            if namespace["metadata"].get("labels", {}).get(LABEL) != "yes":
                raise DemoFailed(
                    f"namespace {name} is not the demo's: it has no label {LABEL}=yes; rename or remove it"
                )
            self.kube.delete("Namespace", None, name)
            found.append(name)
        for name in found:
            until(
                lambda name=name: None if self.kube.get("Namespace", None, name) else True,  # type: ignore[misc]
                within_s=GONE_S,
                what=f"removal of namespace {name}",
                why=lambda name=name: f"still there: {', '.join(sorted(self.objects(name)))}",  # type: ignore[misc]
            )
        return found

    def create(self, *objects: Obj) -> None:
        """Create objects."""
        for obj in objects:
            self.kube.create(obj)

    def await_deployment(self, namespace: str, name: str, within_s: float = 120.0) -> None:
        """Wait until every replica is there and available, and no older one is."""

        def look() -> bool | None:
            found = self.kube.get("Deployment", namespace, name) or {}
            return True if complete(found) else None

        until(look, within_s=within_s, what=f"Deployment {namespace}/{name}", why=lambda: self.why(namespace))

    def await_pod(self, namespace: str, name: str, within_s: float = 120.0) -> None:
        """Wait until the pod is ready."""

        def look() -> bool | None:
            pod = self.kube.get("Pod", namespace, name)
            return True if pod and ready(pod) else None

        until(look, within_s=within_s, what=f"pod {namespace}/{name}", why=lambda: self.why(namespace))

    def why(self, namespace: str) -> str:
        """Why the pods of a namespace that are not ready are not, with the last lines that they wrote."""
        reasons = []
        events = self.kube.list("Event", namespace)
        for pod in self.kube.list("Pod", namespace):
            if ready(pod) or pod.get("status", {}).get("phase") == "Succeeded":
                continue
            name = pod["metadata"]["name"]
            about = [event for event in events if event.get("involvedObject", {}).get("name") == name]
            reasons.append(f"{trouble(pod, about).reason}; its log: {self.last_lines(namespace, name)}")
        return "; ".join(reasons) or "all pods are ready"

    def last_lines(self, namespace: str, pod: str, lines: int = LOG_LINES) -> str:
        """The end of a pod's log; empty when there is none."""
        _, output = self._kubectl("logs", "--namespace", namespace, pod, f"--tail={lines}")
        return output.strip()

    def execute(self, namespace: str, pod: str, script: str) -> tuple[int, str]:
        """Run a shell script in a pod; exit status and output."""
        return self._kubectl("exec", "--namespace", namespace, pod, "--", "sh", "-c", script)

    def objects(self, namespace: str) -> set[str]:
        """All objects of a namespace as Kind/name, and the volumes claimed from it."""
        found = {f"{kind}/{one['metadata']['name']}" for kind in KINDS for one in self.kube.list(kind, namespace)}
        volumes = {
            f"PersistentVolume/{volume['metadata']['name']}"
            for volume in self.kube.list("PersistentVolume", None)
            if volume.get("spec", {}).get("claimRef", {}).get("namespace") == namespace
        }
        return (found | volumes) - OF_EVERY_NAMESPACE

    def images(self) -> set[str]:
        """Names of the images that the nodes have; one that lost its tag to a newer build has none (null)."""
        nodes = self.kube.list("Node", None)
        images = [image for node in nodes for image in node["status"].get("images", ())]
        return {name for image in images for name in image.get("names") or ()}


def kubectl(*arguments: str) -> tuple[int, str]:
    """Run kubectl; exit status and output, errors included."""
    try:
        ran = subprocess.run(
            ["kubectl", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=KUBECTL_S,
            check=False,
        )
    except FileNotFoundError as error:
        raise DemoFailed('there is no kubectl on PATH: eval "$(sandbox/sandbox env)"') from error
    except subprocess.TimeoutExpired as error:
        raise DemoFailed(f"kubectl {arguments[0]} did not end within {KUBECTL_S:g} s") from error
    return ran.returncode, ran.stdout


def complete(deployment: Obj) -> bool:
    """Whether a Deployment has reached what it is told to be; the same that `kubectl rollout status` waits for."""
    wanted = deployment.get("spec", {}).get("replicas")
    status = deployment.get("status", {})
    numbers = [status.get(key, 0) for key in ("replicas", "updatedReplicas", "availableReplicas")]
    seen = status.get("observedGeneration", 0) >= deployment.get("metadata", {}).get("generation", 1)
    return bool(seen and numbers == [wanted] * 3)
