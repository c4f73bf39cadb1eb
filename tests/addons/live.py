"""Instances and bindings of the addons on a real cluster, made with helm alone, as the broker does it."""

from __future__ import annotations

import base64
import json
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from tests.addons.programs import Failed, helm, kubectl, program
from tests.addons.tree import ADDONS, binding_values, document, instance_values
from tests.cluster.reach import eventually

# The sandbox has these; their ids of users are those of the charts.
IMAGES = {
    "postgresql": {"repository": "sandbox.local/postgresql", "tag": "15"},
    "redis": {"repository": "sandbox.local/redis", "tag": "7"},
}
# Exit 0 when the server answers at the address $1.
_ANSWERS = {
    "postgresql": 'pg_isready -h "$1"',
    "redis": 'client=$(command -v valkey-cli || command -v redis-cli); "$client" -h "$1" PING',
}
# Reads variables from stdin up to an empty line; the rest of stdin is the program's.
_WITH_LINES = 'while IFS= read -r line && [ -n "$line" ]; do export "$line"; done; exec "$@"'


@dataclass(frozen=True)
class Binding:
    """A Helm release of an addon's binding chart, and what its Secret holds."""

    release: str
    user: str
    password: str
    uri: str


@dataclass(frozen=True)
class Instance:
    """A Helm release of an addon's chart."""

    addon: str
    plan: str
    namespace: str
    release: str = "hb-live"

    @property
    def pod(self) -> str:
        """The server's pod."""
        return f"{self.release}-0"

    @property
    def host(self) -> str:
        """The server's address inside the cluster."""
        return f"{self.release}.{self.namespace}.svc"

    def values(self, *more: dict[str, Any]) -> dict[str, Any]:
        """What the instance runs with.

        Without its NetworkPolicy: these tests speak to the server from its own pod, which may open no connection.
        """
        mine = {"image": IMAGES[self.addon], "networkPolicy": {"enabled": False}}
        return instance_values(self.addon, self.plan, mine, *more)

    def install(self, *more: dict[str, Any]) -> None:
        """Install or upgrade, and wait until the server is ready."""
        self.apply(*more)
        self.ready()

    def apply(self, *more: dict[str, Any]) -> None:
        """Install or upgrade; waits for nothing."""
        chart = str(ADDONS / self.addon / "chart")
        helm("upgrade", "--install", self.release, chart, "-n", self.namespace, values=self.values(*more))

    def ready(self) -> None:
        """Wait until the pod of the newest revision is ready, and the Service leads to it."""
        kubectl("-n", self.namespace, "rollout", "status", f"statefulset/{self.release}", "--timeout=240s")
        eventually(self._answers, within_s=60)

    def _answers(self) -> str | None:
        try:
            return self.execute("sh", "-c", _ANSWERS[self.addon], "sh", self.host)
        except Failed:
            return None

    def bind(self, number: int, **parameters: Any) -> Binding:
        """Make (or make again) binding `number`."""
        id_ = f"{number:016x}"
        release = f"hb-live-b{number}"
        chart = str(ADDONS / self.addon / "binding")
        values = binding_values(self.release, self.namespace, self.values(), id_, parameters)
        helm("upgrade", "--install", release, chart, "-n", self.namespace, values=values)
        data = self.get("secret", release)["data"]
        found = {key: base64.b64decode(value).decode() for key, value in data.items()}
        return Binding(release, found["username"], found["password"], found["uri"])

    def bind_all(self, *numbers: int) -> list[Binding]:
        """Make several bindings at the same time."""
        with ThreadPoolExecutor() as threads:
            return list(threads.map(self.bind, numbers))

    def unbind(self, binding: Binding) -> None:
        """Uninstall the binding with its pre-delete Job."""
        helm("uninstall", binding.release, "-n", self.namespace)

    def get(self, kind: str, name: str) -> dict[str, Any]:
        """One object."""
        found: dict[str, Any] = json.loads(kubectl("-n", self.namespace, "get", kind, name, "-o", "json"))
        return found

    def names(self, kinds: str) -> list[str]:
        """What there is of these kinds, as kind/name, without what every namespace has."""
        found = kubectl("-n", self.namespace, "get", kinds, "-o", "name").split()
        return sorted(set(found) - {"configmap/kube-root-ca.crt", "serviceaccount/default"})

    def restart(self) -> None:
        """Delete the pod, and wait for the next one."""
        kubectl("-n", self.namespace, "delete", "pod", self.pod)
        self.ready()

    def execute(self, *command: str, stdin: str = "") -> str:
        """Run a command in the server's pod. Raises Failed."""
        return kubectl("-n", self.namespace, "exec", "-i", self.pod, "--", *command, stdin=stdin)

    def with_environment(self, environment: dict[str, str], *command: str, stdin: str = "") -> str:
        """Run a command in the server's pod with variables that nobody else sees. Raises Failed."""
        lines = "".join(f"{name}={value}\n" for name, value in environment.items())
        return self.execute("sh", "-c", _WITH_LINES, "sh", *command, stdin=f"{lines}\n{stdin}")

    def start(self, *command: str, stdin: str) -> subprocess.Popen[str]:
        """Begin a command in the server's pod that goes on until something ends it."""
        argv = [program("kubectl"), "-n", self.namespace, "exec", "-i", self.pod, "--", *command]
        process = subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        assert process.stdin is not None
        process.stdin.write(stdin)
        process.stdin.flush()
        return process

    def prove_login(self, binding: Binding) -> None:
        """Run what the addon's contract says, with what the binding delivers. Raises Failed."""
        port = {"postgresql": "5432", "redis": "6379"}[self.addon]
        credentials = {
            "HOST": self.host,
            "PORT": port,
            "DATABASE": {"postgresql": "app", "redis": "0"}[self.addon],
            "USERNAME": binding.user,
            "PASSWORD": binding.password,
            "URI": binding.uri,
        }
        self.with_environment(credentials, *document(self.addon, "contract.yaml")["login"]["command"])

    def pod_uid(self) -> str:
        """Tells whether the pod is still the same."""
        return str(self.get("pod", self.pod)["metadata"]["uid"])

    def waits_for(self, reason: str) -> bool:
        """Whether the server's container waits for this reason."""
        statuses = self.get("pod", self.pod).get("status", {}).get("containerStatuses", [])
        return any(status["state"].get("waiting", {}).get("reason") == reason for status in statuses)

    def log(self) -> str:
        """What the server has said since it started."""
        return kubectl("-n", self.namespace, "logs", self.pod)

    def uninstall(self) -> None:
        """Remove the instance, and wait until its pod is gone."""
        helm("uninstall", self.release, "-n", self.namespace)
        kubectl("-n", self.namespace, "wait", "--for=delete", f"pod/{self.pod}", "--timeout=120s")
