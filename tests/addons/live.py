"""Instances and bindings of the addons on a real cluster, made with helm alone, as the broker does it."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.addons.programs import Failed, helm, kubectl, program
from tests.addons.tree import ADDONS, binding_values, instance_values
from tests.cluster.addons import step
from tests.cluster.broker import OVERRIDES
from tests.cluster.reach import eventually

# Exit 0 when the server accepts connections at the address $1, port $2. The sandbox's images have bash.
_ANSWERS = 'exec 3<>"/dev/tcp/$1/$2"'
# Reads variables from stdin up to an empty line, their values in base64; the rest of stdin is the program's.
_WITH_LINES = (
    'while IFS= read -r line && [ -n "$line" ]; do '
    'export "${line%%=*}=$(printf %s "${line#*=}" | base64 -d)"; done; exec "$@"'
)


@dataclass(frozen=True)
class Binding:
    """A Helm release of an addon's binding chart, and what its Secret holds."""

    release: str
    user: str
    password: str
    credentials: dict[str, str] = field(default_factory=dict)


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
        mine = {**OVERRIDES[self.addon], "networkPolicy": {"enabled": False}}
        return instance_values(self.addon, self.plan, mine, *more)

    def install(self, *more: dict[str, Any]) -> None:
        """Install or upgrade, and wait until the server is ready."""
        self.apply(*more)
        self.ready()

    def apply(self, *more: dict[str, Any]) -> None:
        """Install or upgrade; waits for nothing."""
        path = str(ADDONS / self.addon / "chart")
        helm("upgrade", "--install", self.release, path, "-n", self.namespace, values=self.values(*more))

    def ready(self) -> None:
        """Wait until the pod of the newest revision is ready, and the Service leads to it."""
        kubectl("-n", self.namespace, "rollout", "status", f"statefulset/{self.release}", "--timeout=240s")
        eventually(self._answers, within_s=240)

    def _answers(self) -> str | None:
        port = self.get("service", self.release)["spec"]["ports"][0]["port"]
        try:
            return self.execute("bash", "-c", _ANSWERS, "bash", self.host, str(port))
        except Failed:
            return None

    def bind(self, number: int, **parameters: Any) -> Binding:
        """Make (or make again) binding `number`."""
        id_ = f"{number:016x}"
        release = f"hb-live-b{number}"
        chart = str(ADDONS / self.addon / "binding")
        values = binding_values(self.release, self.namespace, self.values(), id_, parameters)
        helm("upgrade", "--install", release, chart, "-n", self.namespace, values=values)
        credentials = self._credentials(release, values)
        return Binding(release, credentials["username"], credentials["password"], credentials)

    def _credentials(self, release: str, values: dict[str, Any]) -> dict[str, str]:
        """What a binding delivers: the addon's template, rendered and resolved."""
        with tempfile.TemporaryDirectory() as folder:
            chart = Path(folder) / "binding"
            shutil.copytree(ADDONS / self.addon / "binding", chart)
            (chart / "credentials.yaml").rename(chart / "templates" / "credentials.yaml")
            only = ["--show-only", "templates/credentials.yaml"]
            rendered = helm("template", release, str(chart), "-n", self.namespace, *only, values=values)
        return {row["name"]: self._resolved(row) for row in yaml.safe_load(rendered)["credentials"]}

    def _resolved(self, row: dict[str, Any]) -> str:
        if "value" in row:
            return str(row["value"])
        reference = row["valueFrom"]["secretKeyRef"]
        return base64.b64decode(self.get("secret", reference["name"])["data"][reference["key"]]).decode()

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

    def await_left(self, kinds: str, about: str, left: list[str]) -> None:
        """Wait until of what is called after `about` there is this alone: pods of Jobs go in the background."""
        seen: list[str] = []

        def look() -> bool | None:
            seen[:] = [name for name in self.names(kinds) if about in name]
            return seen == left or None

        try:
            eventually(look, within_s=60)
        finally:
            assert seen == left

    def restart(self) -> None:
        """Delete the pod, and wait for the next one."""
        kubectl("-n", self.namespace, "delete", "pod", self.pod)
        self.ready()

    def execute(self, *command: str, stdin: str = "") -> str:
        """Run a command in the server's pod. Raises Failed."""
        return kubectl("-n", self.namespace, "exec", "-i", self.pod, "--", *command, stdin=stdin)

    def with_environment(self, environment: dict[str, str], *command: str, stdin: str = "") -> str:
        """Run a command in the server's pod with variables that nobody else sees. Raises Failed."""
        return self.execute("sh", "-c", _WITH_LINES, "sh", *command, stdin=f"{_lines(environment)}\n{stdin}")

    def start_with_environment(self, environment: dict[str, str], *command: str) -> subprocess.Popen[str]:
        """As `start`, with variables that nobody else sees."""
        return self.start("sh", "-c", _WITH_LINES, "sh", *command, stdin=f"{_lines(environment)}\n")

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
        """As `prove`, of the step that logs in."""
        self.prove("login", binding)

    def prove(self, name: str, binding: Binding) -> str:
        """Run a step of the addon's contract with what the binding delivers; what it says. Raises Failed."""
        environment = {key.upper(): value for key, value in binding.credentials.items()}
        return self.with_environment(environment, *step(self.addon, name))

    def volume_size(self) -> str:
        """What the volume has, not what is asked for."""
        status: dict[str, Any] = self.get("persistentvolumeclaim", f"{self.release}-data")["status"]
        return str(status["capacity"]["storage"])

    def pod_uid(self) -> str:
        """Tells whether the pod is still the same."""
        return str(self.get("pod", self.pod)["metadata"]["uid"])

    def waits_for(self, reason: str) -> bool:
        """Whether the server's container waits for this reason."""
        found = kubectl("-n", self.namespace, "get", "pod", self.pod, "-o", "json", "--ignore-not-found")
        statuses = json.loads(found or "{}").get("status", {}).get("containerStatuses", [])
        return any(status["state"].get("waiting", {}).get("reason") == reason for status in statuses)

    def log(self) -> str:
        """What the server has said since it started."""
        return kubectl("-n", self.namespace, "logs", self.pod)

    def uninstall(self) -> None:
        """Remove the instance, and wait until its pod is gone."""
        helm("uninstall", self.release, "-n", self.namespace)
        kubectl("-n", self.namespace, "wait", "--for=delete", f"pod/{self.pod}", "--timeout=120s")


def _lines(environment: dict[str, str]) -> str:
    """For _WITH_LINES."""
    encoded = {name: base64.b64encode(value.encode()).decode() for name, value in environment.items()}
    return "".join(f"{name}={value}\n" for name, value in encoded.items())
