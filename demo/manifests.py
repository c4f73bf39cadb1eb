"""The app's Kubernetes objects: what its developer would have deployed anyway."""

from __future__ import annotations

from typing import Any

from demo.places import APP

Obj = dict[str, Any]

REPLICAS = 2
PORT = 8000
PER_SECOND = 20
LONGEST_S = 3600
NOT_ROOT: Obj = {"runAsNonRoot": True, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}}
LOCKED: Obj = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}
RELEASE_ANNOTATION = "metadata.annotations['helmbroker.io/app-release']"


def _labels(name: str) -> dict[str, str]:
    return {"app.kubernetes.io/name": name}


def selector(name: str) -> str:
    """A label selector for the pods of that name."""
    return ",".join(f"{key}={value}" for key, value in _labels(name).items())


def web(image: str) -> Obj:
    """The web process: two replicas, replaced without a gap."""
    container: Obj = {
        "name": "web",
        "image": image,
        "env": [
            {"name": "PORT", "value": str(PORT)},
            {"name": "APP_RELEASE", "valueFrom": {"fieldRef": {"fieldPath": RELEASE_ANNOTATION}}},
        ],
        "ports": [{"containerPort": PORT, "name": "http"}],
        "readinessProbe": {
            "httpGet": {"path": "/healthz", "port": "http"},
            "periodSeconds": 1,
            "timeoutSeconds": 15,
            "failureThreshold": 5,  # a machine that is busy for a moment is no reason to serve no more
        },
        # The time that the news of a pod's end takes to reach everybody who sends it requests.
        "lifecycle": {"preStop": {"sleep": {"seconds": 5}}},
        "resources": {"requests": {"cpu": "20m", "memory": "48Mi"}, "limits": {"memory": "128Mi"}},
        "securityContext": LOCKED,
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": "web",
            "namespace": APP,
            "labels": {**_labels("web"), "helmbroker.io/process-type": "web"},
        },
        "spec": {
            "replicas": REPLICAS,
            "selector": {"matchLabels": _labels("web")},
            "progressDeadlineSeconds": 120,
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
            "template": {
                "metadata": {"labels": _labels("web")},
                "spec": {
                    "automountServiceAccountToken": False,
                    "enableServiceLinks": False,
                    "securityContext": NOT_ROOT,
                    "terminationGracePeriodSeconds": 20,
                    "containers": [container],
                },
            },
        },
    }


def service() -> Obj:
    """The app's address in the cluster."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web", "namespace": APP, "labels": _labels("web")},
        "spec": {"selector": _labels("web"), "ports": [{"name": "http", "port": 80, "targetPort": "http"}]},
    }


def _pod(name: str, spec: Obj) -> Obj:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": APP, "labels": _labels(name)},
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": 5,
            **spec,
        },
    }


def load(image: str) -> Obj:
    """A pod that requests the app all the time, each time on a new connection."""
    url = f"http://web.{APP}.svc/"
    container: Obj = {
        "name": "load",
        "image": image,
        "command": ["python3", "/app/load.py", url, f"--per-second={PER_SECOND}", f"--seconds={LONGEST_S}"],
        "resources": {"requests": {"cpu": "20m", "memory": "32Mi"}, "limits": {"memory": "128Mi"}},
        "securityContext": LOCKED,
    }
    return _pod("load", {"securityContext": NOT_ROOT, "containers": [container]})


def client(name: str, image: str, secret: str, user: int) -> Obj:
    """A pod with a database's client program, and credentials of `secret` in its environment."""
    container: Obj = {
        "name": "client",
        "image": image,
        "command": ["sleep", "3600"],
        "envFrom": [{"secretRef": {"name": secret}}],
        "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "64Mi"}},
        "securityContext": LOCKED,
    }
    return _pod(name, {"securityContext": {**NOT_ROOT, "runAsUser": user}, "containers": [container]})


def secret(name: str, data: dict[str, str]) -> Obj:
    """A Secret; `data` in base64."""
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": APP}, "data": data}
