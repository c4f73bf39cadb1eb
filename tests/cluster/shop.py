"""An app for tests: process types web (two pods) and worker, in plain manifests, and what its pods were given."""

from __future__ import annotations

import base64
from typing import Any

from helmbroker.kubeapi.pods import ready
from helmbroker.kubeapi.port import Kube, Obj
from tests.cluster.reach import eventually

IMAGE = "sandbox.local/demo-app:1"
OTHER_IMAGE = "sandbox.local/redis:7"  # any other that has a shell

PATIENT = {"periodSeconds": 1, "timeoutSeconds": 15, "failureThreshold": 5}
"""A probe that a crowded machine does not make fail: pods that serve must not drop out of a test."""

_RUN = """
trap 'exit 0' TERM
if [ -n "$BREAK" ]; then printf 'starting\\nrefused by %s\\n' "$BREAK" >&2; exit 3; fi
touch /tmp/ready
while :; do sleep 0.1; done
"""


def process(namespace: str, kind: str, *, replicas: int = 1, image: str = IMAGE, **container: Any) -> Obj:
    """A Deployment that is a process type of the app; `container` adds to its one container."""
    labels = {"app": "shop", "process": kind}
    run = {
        "name": kind,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["/bin/sh", "-c", _RUN],
        "readinessProbe": {"exec": {"command": ["test", "-e", "/tmp/ready"]}, **PATIENT},
        "terminationMessagePolicy": "FallbackToLogsOnError",
        **container,
    }
    pod = {"terminationGracePeriodSeconds": 5, "automountServiceAccountToken": False, "containers": [run]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": f"shop-{kind}",
            "namespace": namespace,
            "labels": {**labels, "helmbroker.io/process-type": kind},
        },
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }


def stateful(namespace: str, kind: str, *, replicas: int = 1, **container: Any) -> Obj:
    """The same as a StatefulSet."""
    made = process(namespace, kind, replicas=replicas, **container)
    return {**made, "kind": "StatefulSet", "spec": {**made["spec"], "serviceName": f"shop-{kind}"}}


def nightly(namespace: str, kind: str, *, schedule: str = "0 3 * * *", **container: Any) -> Obj:
    """The same as a CronJob, whose pods run a command and end."""
    made = process(namespace, kind, **container)
    template = made["spec"]["template"]
    template["spec"] |= {"restartPolicy": "Never"}
    del template["spec"]["containers"][0]["readinessProbe"]
    job = {"backoffLimit": 0, "template": template}
    spec = {"schedule": schedule, "jobTemplate": {"spec": job}}
    return {**made, "apiVersion": "batch/v1", "kind": "CronJob", "spec": spec}


def image_change(kind: str, image: str) -> Obj:
    """The merge patch of `kubectl set image` for a process; lists are replaced whole, so it repeats the rest."""
    containers = process("", kind, image=image)["spec"]["template"]["spec"]["containers"]
    return {"spec": {"template": {"spec": {"containers": containers}}}}


def serving(kube: Kube, namespace: str) -> list[Obj]:
    """The pods of the app that are ready."""
    return [pod for pod in kube.list("Pod", namespace, labels={"app": "shop"}) if ready(pod)]


def environments(kube: Kube, namespace: str, process_type: str | None = None) -> list[dict[str, str]]:
    """What each serving pod, or each of one process type, was given by Secrets."""
    pods = serving(kube, namespace)
    if process_type is not None:
        pods = [pod for pod in pods if pod["metadata"]["labels"]["process"] == process_type]
    return [_environment(kube, namespace, pod["spec"]["containers"][0]) for pod in pods]


def _environment(kube: Kube, namespace: str, container: Obj) -> dict[str, str]:
    found: dict[str, str] = {}
    for entry in container.get("envFrom") or ():
        secret = kube.get("Secret", namespace, entry["secretRef"]["name"])
        if secret is not None:
            found |= {key: base64.b64decode(value).decode() for key, value in secret["data"].items()}
    return found


def said_by_job(kube: Kube, namespace: str, cron_job: str, name: str) -> str:
    """What a Job that a CronJob makes now says in its termination message."""
    found = kube.get("CronJob", namespace, cron_job)
    assert found is not None
    owner = {"apiVersion": "batch/v1", "kind": "CronJob", "name": cron_job, "uid": found["metadata"]["uid"]}
    metadata = {"name": name, "namespace": namespace, "ownerReferences": [{**owner, "controller": True}]}
    spec: Obj = found["spec"]["jobTemplate"]["spec"]
    kube.create({"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": spec})

    def said() -> str | None:
        for pod in kube.list("Pod", namespace, labels={"job-name": name}):
            for status in (pod.get("status") or {}).get("containerStatuses") or ():
                if "terminated" in status["state"]:
                    return str(status["state"]["terminated"].get("message", "")).strip()
        return None

    return eventually(said, within_s=120)
