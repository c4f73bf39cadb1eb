"""Pods that log in to instances with the credentials of bindings."""

from __future__ import annotations

import base64
import re
import shutil
import subprocess
from dataclasses import dataclass

import pytest

from helmbroker.kubeapi.pods import ready, trouble
from helmbroker.kubeapi.port import Kube
from tests.cluster.reach import eventually

USER = 999
# 115: packets to an address that nobody has any more are dropped, and the client gave up
_REFUSED = re.compile(r"Connection refused|econnrefused|Can't connect to server .* \((111|115)\)")
PATIENCE_S = 60  # of a command, on a machine that is busy with other tests


@dataclass(frozen=True)
class Said:
    """What a command in a pod answered."""

    status: int
    output: str


@dataclass(frozen=True)
class Client:
    """A pod of an image, with credentials as its environment (names upper-cased)."""

    namespace: str
    name: str

    @classmethod
    def start(cls, kube: Kube, namespace: str, name: str, image: str, credentials: dict[str, str]) -> Client:
        """Make the pod; it may take a while until it runs."""
        data = {key.upper(): base64.b64encode(text.encode()).decode() for key, text in credentials.items()}
        metadata = {"name": name, "namespace": namespace}
        kube.create({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data})
        container = {
            "name": "client",
            "image": image,
            "command": ["sleep", "infinity"],
            "envFrom": [{"secretRef": {"name": name}}],
            "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}},
        }
        spec = {
            "containers": [container],
            "terminationGracePeriodSeconds": 0,
            "securityContext": {"runAsUser": USER, "runAsGroup": USER},
        }
        kube.create({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
        return cls(namespace, name)

    def await_ready(self, kube: Kube) -> None:
        def look() -> bool | None:
            pod = kube.get("Pod", self.namespace, self.name)
            assert pod is not None
            assert ready(pod) or not trouble(pod).hopeless, trouble(pod).reason
            return ready(pod) or None

        eventually(look, within_s=120)

    def run(self, command: list[str], within_s: int = PATIENCE_S) -> Said:
        """Run a command in it; credentials are in its environment, never on a command line."""
        kubectl = shutil.which("kubectl")
        if kubectl is None:
            pytest.fail('there is no kubectl on PATH: eval "$(sandbox/sandbox env)"')
        within = ["timeout", str(within_s), *command]
        argv = [kubectl, "exec", "--namespace", self.namespace, self.name, "--", *within]
        done = subprocess.run(argv, check=False, capture_output=True, timeout=within_s + 30)
        return Said(done.returncode, (done.stdout + done.stderr).decode(errors="replace"))

    def run_when_served(self, command: list[str]) -> Said:
        """As `run`, once the server's address is known again: for a moment after a restart the node refuses it."""

        def look() -> Said | None:
            said = self.run(command)
            return None if _REFUSED.search(said.output) else said

        return eventually(look, within_s=60)
