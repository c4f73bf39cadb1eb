"""Logins with the credentials of bindings, many from one pod: they travel on standard input."""

from __future__ import annotations

import shlex
import subprocess
from typing import Any

from helmbroker.kubeapi.port import Kube
from tests.cluster.addons import image_of, step
from tests.cluster.broker import OVERRIDES
from tests.cluster.clients import USER
from tests.cluster.reach import eventually


def start_pod(kube: Kube, namespace: str, service: str) -> None:
    """A pod with the programs of the service, of that name."""
    image = image_of(service, "small", OVERRIDES[service])
    spec = {
        "containers": [{"name": "client", "image": image, "command": ["sleep", "infinity"]}],
        "terminationGracePeriodSeconds": 0,
        "securityContext": {"runAsUser": USER, "runAsGroup": USER},
    }
    metadata = {"name": service, "namespace": namespace}
    kube.create({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})

    def running() -> bool | None:
        pod: dict[str, Any] = kube.get("Pod", namespace, service) or {}
        return pod.get("status", {}).get("phase") == "Running" or None

    eventually(running, within_s=120)


def refusal(namespace: str, service: str, credentials: dict[str, str]) -> str | None:
    """Log in as the addon's contract says, from its pod; None, or why that failed."""
    exports = "".join(f"export {name.upper()}={shlex.quote(str(value))}\n" for name, value in credentials.items())
    within = ["timeout", "60", "sh", "-c", '. /dev/stdin; exec "$0" "$@"', *step(service, "login")]
    done = subprocess.run(
        ["kubectl", "exec", "-i", "--namespace", namespace, service, "--", *within],
        input=exports,
        text=True,
        check=False,
        capture_output=True,
        timeout=90,
    )
    return None if done.returncode == 0 else f"status {done.returncode} {(done.stdout + done.stderr)[-300:]}"
