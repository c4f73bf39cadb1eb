"""Why workloads are not ready, each cause made to happen: what a real cluster says is what users are told."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from helmbroker.broker.domain.cluster import NotReady
from helmbroker.broker.domain.naming import ReleaseRef
from helmbroker.broker.kube.cluster import KubeCluster
from helmbroker.kubeapi.port import Kube, Obj
from tests.cluster.reach import eventually, pause, throw_away_namespace
from tests.fakes.release_secrets import StoredRelease, stored_release

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]

IMAGE = "sandbox.local/redis:7"
REGISTRY = """
import http.server

class Registry(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        status = 401 if "private" in self.path else 404
        self.send_response(status)
        if status == 401:
            self.send_header("WWW-Authenticate", 'Basic realm="registry"')
        self.send_header("Content-Length", "0")
        self.end_headers()
    do_HEAD = do_GET

http.server.ThreadingHTTPServer(("127.0.0.1", 5999), Registry).serve_forever()
"""
SAFE = {
    "allowPrivilegeEscalation": False,
    "runAsNonRoot": True,
    "runAsUser": 1000,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}
FILLED = {"name": "e", "emptyDir": {"sizeLimit": "1Mi"}}
FILLS = {
    "command": ["sh", "-c", "head -c 20000000 /dev/zero > /e/x; sleep 3600"],
    "volumeMounts": [{"name": "e", "mountPath": "/e"}],
}
HUNGRY = "x=$(head -c 150m /dev/zero | tr '\\0' a); echo ${#x}"


def claim(**spec: Any) -> Obj:
    """The template of a volume claim."""
    wanted = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    return {"metadata": {"name": "data"}, "spec": {**wanted, **spec}}


# container, pod, claims: what makes it fail; then the beginning and the end of the sentence
OPEN: dict[str, tuple[Obj, Obj, list[Obj], str, str]] = {
    "too-big": (
        {"resources": {"requests": {"cpu": "2", "memory": "4Ti"}}},
        {"initContainers": [{"name": "first", "image": IMAGE, "resources": {"requests": {"cpu": "80"}}}]},
        [],
        "pod too-big-0 cannot be scheduled: 0/",
        "Ask for less, or give the cluster room for it",
    ),
    "image-absent": (
        {"image": "localhost:5999/absent:1"},
        {},
        [],
        "image localhost:5999/absent:1 for container main of pod image-absent-0 cannot be pulled: ",
        "The registry does not have it: correct its name and tag, or push it",
    ),
    "image-private": (
        {"image": "localhost:5999/private:1"},
        {},
        [],
        "image localhost:5999/private:1 for container main of pod image-private-0 cannot be pulled: ",
        "The registry refuses access: check the pull secret",
    ),
    "image-unreachable": (
        {"image": "localhost:5998/x:1"},
        {},
        [],
        "image localhost:5998/x:1 for container main of pod image-unreachable-0 cannot be pulled: ",
        "The registry cannot be reached: check its name, and the node's network or mirror",
    ),
    "by-hand": (
        {},
        {},
        [claim(storageClassName="")],
        "pod by-hand-0 waits for its volume: PersistentVolumeClaim data-by-hand-0: no persistent volumes available",
        "it wants a volume that is made by hand. Make one, or name a StorageClass in the plan",
    ),
    "no-class": (
        {},
        {},
        [claim(storageClassName="absent")],
        "pod no-class-0 waits for its volume: PersistentVolumeClaim data-no-class-0: storageclass.storage.k8s.io",
        "Make the StorageClass absent, or name another one in the plan",
    ),
    "provisioner": (
        {},
        {},
        [claim(storageClassName="{namespace}")],
        "pod provisioner-0 waits for its volume, which nobody.example/none has to make",
        "",
    ),
    "oom": (
        {"command": ["sh", "-c", HUNGRY], "resources": {"limits": {"memory": "32Mi"}}},
        {},
        [],
        "container main of pod oom-0 was killed, as it used more than its memory limit of 32Mi (OOMKilled)",
        "Choose a larger plan, or raise the limit",
    ),
    "liveness": (
        {"livenessProbe": {"exec": {"command": ["sh", "-c", "echo no pulse; exit 1"]}, "periodSeconds": 1}},
        {},
        [],
        "container main of pod liveness-0 was stopped, as it does not live: Liveness probe failed: no pulse",
        "",
    ),
    "crash": (
        {"command": ["sh", "-c", "echo first; echo it cannot work; exit 7"]},
        {},
        [],
        "container main of pod crash-0 ended with exit code 7 (Error): it cannot work",
        "",
    ),
    "evicted": (FILLS, {"volumes": [FILLED]}, [], "pod evicted-0 was evicted: Usage of EmptyDir volume", ""),
}
STRICT: dict[str, tuple[Obj, Obj, list[Obj], str, str]] = {
    "pod-security": (
        {"securityContext": {}},
        {},
        [],
        'StatefulSet pod-security: pods "pod-security-0" may not be made: Pod Security level restricted of the ',
        "The addon's author has to mend the chart, or the operator to lower that level",
    ),
    "limit-range": (
        {"resources": {"limits": {"memory": "128Mi"}}, "securityContext": SAFE},
        {},
        [],
        'StatefulSet limit-range: pods "limit-range-0" may not be made: a LimitRange of the namespace does not ',
        "Choose a plan within these limits, or change the LimitRange",
    ),
    "quota": (
        {"resources": {"limits": {"memory": "64Mi"}}, "securityContext": SAFE},
        {},
        [],
        'StatefulSet quota: pods "quota-0" may not be made: quota q is exceeded (requests.memory: 64Mi asked, ',
        "Raise the quota, choose a smaller plan, or remove what is not needed",
    ),
}


def stateful_set(namespace: str, name: str, container: Obj, pod: Obj, claims: list[Obj]) -> Obj:
    main = {
        "name": "main",
        "image": IMAGE,
        "command": ["sleep", "3600"],
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }
    spec = {"terminationGracePeriodSeconds": 0, "containers": [{**main, **container}], **pod}
    template = {"metadata": {"labels": {"case": name}}, "spec": spec}
    for each in claims:
        if each["spec"]["storageClassName"] == "{namespace}":
            each["spec"]["storageClassName"] = namespace
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "serviceName": name,
            "selector": {"matchLabels": {"case": name}},
            "template": template,
            "volumeClaimTemplates": claims,
        },
    }


def registry(kube: Kube, namespace: str) -> None:
    """One on the node's own loopback that has nothing, and wants a login for a part of it."""
    metadata = {"name": "registry", "namespace": namespace}
    command = ["python3", "-c", REGISTRY]
    container = {"name": "main", "image": "sandbox.local/demo-app:1", "command": command}
    spec = {"hostNetwork": True, "terminationGracePeriodSeconds": 0, "containers": [container]}
    kube.create({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
    eventually(
        lambda: True if (kube.get("Pod", namespace, "registry") or {})["status"]["phase"] == "Running" else None,
        within_s=120,
    )


@contextmanager
def storage_class(kube: Kube, name: str) -> Iterator[None]:
    """Whose provisioner does not exist."""
    kind = {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": name}}
    kube.create({**kind, "provisioner": "nobody.example/none", "volumeBindingMode": "Immediate"})
    try:
        yield
    finally:
        kube.delete("StorageClass", None, name)


def released(kube: Kube, namespace: str, cases: dict[str, tuple[Obj, Obj, list[Obj], str, str]]) -> None:
    """Each case as a Helm release of its name."""
    for name, (container, pod, claims, _, _) in cases.items():
        workload = stateful_set(namespace, name, container, pod, claims)
        kube.create(workload)
        kube.create(stored_release(StoredRelease(ReleaseRef(namespace, name), workloads=[workload])))


def all_explained(kube: Kube, namespace: str, cases: dict[str, tuple[Obj, Obj, list[Obj], str, str]]) -> None:
    cluster, open_cases, said = KubeCluster(kube), dict(cases), dict[str, str]()

    def look() -> bool | None:
        for name, (_, _, _, beginning, end) in list(open_cases.items()):
            state = cluster.readiness(ReleaseRef(namespace, name))
            said[name] = state.reason if isinstance(state, NotReady) else "ready"
            if beginning in said[name] and said[name].endswith(end):
                del open_cases[name]
        return True if not open_cases else None

    deadline = time.monotonic() + 240
    while look() is None:
        assert time.monotonic() < deadline, {name: said[name] for name in open_cases}
        pause(1)


def test_what_pods_wait_for(kube: Kube, namespace: str) -> None:
    with storage_class(kube, namespace):
        registry(kube, namespace)
        released(kube, namespace, OPEN)
        all_explained(kube, namespace, OPEN)
        state = KubeCluster(kube).readiness(ReleaseRef(namespace, "too-big"))
        assert isinstance(state, NotReady)
        assert "it asks 80 CPU and 4096 GiB, and the node with most room has " in state.reason


def test_what_the_namespace_does_not_allow(kube: Kube) -> None:
    with throw_away_namespace(kube) as namespace:
        label = {"pod-security.kubernetes.io/enforce": "restricted"}
        kube.patch("Namespace", None, namespace, {"metadata": {"labels": label}})
        limits = {"limits": [{"type": "Container", "max": {"memory": "64Mi"}}]}
        quota = {"hard": {"requests.memory": "32Mi"}}
        for kind, name, spec in (("LimitRange", "small", limits), ("ResourceQuota", "q", quota)):
            metadata = {"name": name, "namespace": namespace}
            kube.create({"apiVersion": "v1", "kind": kind, "metadata": metadata, "spec": spec})
        released(kube, namespace, STRICT)
        all_explained(kube, namespace, STRICT)


def test_a_pod_that_is_held(kube: Kube, namespace: str) -> None:
    """By a finalizer that nobody takes away: it has ended, and does not go."""
    workload = stateful_set(namespace, "held", {}, {}, [])
    workload["spec"]["template"]["metadata"]["finalizers"] = ["example.com/held"]
    kube.create(workload)
    kube.create(stored_release(StoredRelease(ReleaseRef(namespace, "held"), workloads=[workload])))
    cluster, ref = KubeCluster(kube), ReleaseRef(namespace, "held")
    eventually(lambda: None if isinstance(cluster.readiness(ref), NotReady) else True, within_s=120)
    kube.delete("Pod", namespace, "held-0")

    def held() -> bool | None:
        state = cluster.readiness(ref)
        wanted = "pod held-0 is being stopped, but is held by the finalizer example.com/held: whoever set it has to"
        return True if isinstance(state, NotReady) and state.reason.startswith(wanted) else None

    try:
        eventually(held, within_s=60)
    finally:
        kube.delete("StatefulSet", namespace, "held")  # first: it would make another one that is held
        kube.patch("Pod", namespace, "held-0", {"metadata": {"finalizers": None}})
