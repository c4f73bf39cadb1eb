"""The product as its chart installs it: helm, the pods, and a door to a Service."""

from __future__ import annotations

import base64
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from helmbroker.kubeapi.pods import ready
from helmbroker.kubeapi.port import Kube, Obj
from tests.addons.programs import helm, kubectl, program
from tests.charts.product import CHART
from tests.cluster.broker import VALUES
from tests.cluster.osb import Platform
from tests.cluster.reach import eventually, throw_away_namespace

RELEASE = "hb"
READY_S = 240.0  # of a machine that is busy with other tests


@dataclass(frozen=True)
class Installed:
    """The chart in a namespace; its instances are in another one, both are removed at the end."""

    kube: Kube
    namespace: str

    @property
    def instances(self) -> str:
        return f"{self.namespace}-instances"

    def apply(self, values: dict[str, Any], *files: Path) -> float:
        """`helm upgrade --install` of the chart; seconds until all pods of this revision are ready."""
        begun = time.monotonic()
        given = [word for file in files for word in ("--values", str(file))]
        words = ("upgrade", "--install", RELEASE, str(CHART), "--namespace", self.namespace, *given)
        merged = {**VALUES, **values}
        helm(*words, values=merged)
        self.await_ready()
        return time.monotonic() - begun

    def await_ready(self) -> None:
        """Until all pods are those of the present revision, and ready."""
        asked = ("get", "deployments,statefulsets", "--namespace", self.namespace, "--output", "name")
        for workload in kubectl(*asked, "--selector", "app.kubernetes.io/name=helmbroker").split():
            kubectl("rollout", "status", "--namespace", self.namespace, workload, f"--timeout={READY_S:.0f}s")

    def roll_back(self) -> None:
        """To the revision before; returns when all pods are of it and ready."""
        helm("rollback", RELEASE, "--namespace", self.namespace)
        self.await_ready()

    def uninstall(self) -> None:
        helm("uninstall", RELEASE, "--namespace", self.namespace, "--wait")

    def living(self) -> list[Obj]:
        """The chart's pods that nobody has told to end."""
        found = self.kube.list("Pod", self.namespace, labels={"app.kubernetes.io/name": "helmbroker"})
        return [pod for pod in found if not pod["metadata"].get("deletionTimestamp")]

    def secret(self, name: str) -> dict[str, str]:
        """The data of a Secret of the chart."""
        found = self.kube.get("Secret", self.namespace, f"{RELEASE}-{name}")
        assert found is not None, f"there is no Secret {RELEASE}-{name}"
        return {key: base64.b64decode(value).decode() for key, value in found["data"].items()}

    def change_secret(self, name: str, data: dict[str, str]) -> None:
        """Put these keys into a Secret of the chart."""
        encoded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
        self.kube.patch("Secret", self.namespace, f"{RELEASE}-{name}", {"data": encoded})

    @contextmanager
    def platform(self) -> Iterator[Platform]:
        """The broker, as its platform of the made login reaches it through a port of this machine."""
        login = self.secret("platform")
        with forwarded(self.namespace, f"service/{RELEASE}-broker", 80) as port:
            yield Platform(f"http://127.0.0.1:{port}", login["username"], login["password"])


@contextmanager
def namespaces(kube: Kube) -> Iterator[Installed]:
    """Where to install it."""
    with throw_away_namespace(kube) as namespace:
        installed = Installed(kube, namespace)
        try:
            yield installed
        finally:
            for each in kube.list("ClusterRoleBinding", None) + kube.list("ClusterRole", None):
                if each["metadata"]["name"].startswith(f"{namespace}-"):
                    kube.delete(each["kind"], None, each["metadata"]["name"])
            kube.delete("Namespace", None, installed.instances)


@contextmanager
def forwarded(namespace: str, target: str, port: int) -> Iterator[int]:
    """A port of the loopback that leads to one pod of `target`."""
    command = [program("kubectl"), "port-forward", "--namespace", namespace, target, f":{port}"]
    # it says a line of each connection, and waits when nobody takes it: so into a file
    with (
        tempfile.NamedTemporaryFile() as output,
        subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT) as process,
    ):

        def begun() -> int | None:
            said = Path(output.name).read_text()
            found = re.search(r"127\.0\.0\.1:(\d+) ", said)
            assert process.poll() is None, f"kubectl port-forward {target}: {said}"
            return int(found[1]) if found else None

        try:
            yield eventually(begun, within_s=60, every_s=0.02)
        finally:
            process.terminate()


def start_pod(kube: Kube, namespace: str, name: str, container: Obj, **spec: Any) -> None:
    """A pod of one container; returns when it is ready."""
    metadata = {"name": name, "namespace": namespace, "labels": {"run": name}}
    spec = {"containers": [{"name": "main", **container}], "terminationGracePeriodSeconds": 1, **spec}
    kube.create({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})

    def is_ready() -> bool | None:
        found = kube.get("Pod", namespace, name)
        return True if found is not None and ready(found) else None

    eventually(is_ready, within_s=READY_S)
