"""Broker, bridge and an app as operators run them, every place watched, and an addon whose secrets are planted."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from helmbroker.kubeapi.port import Kube
from tests.canary import processes
from tests.canary.cluster import Cluster
from tests.canary.evidence import Evidence
from tests.canary.files import Files
from tests.canary.heard import HeardBridge, HeardPlatform
from tests.canary.places import Place
from tests.canary.secrets import Kind, Secret
from tests.cluster.addons import copies, probe
from tests.cluster.bridge import bridge
from tests.cluster.broker import CHECKOUT, Broker, broker
from tests.cluster.operating import Said, operate
from tests.cluster.reach import eventually, throw_away_namespace
from tests.cluster.shop import IMAGE, process

VAULT = "vault"
# Of the chart and of the binding chart: the text goes where a secret belongs, and is repeated when it is refused.
_OBJECTS = """
{{- $text := dig "parameters" "text" .Values.text (.Values.binding | default dict) -}}
{{- if hasPrefix "refuse" $text }}{{ fail (printf "this chart does not like the text %s" $text) }}{{ end -}}
apiVersion: v1
kind: Secret
metadata: {name: "{{ .Release.Name }}"}
stringData:
  password: {{ dig "data" "password" "" (lookup "v1" "Secret" .Release.Namespace .Release.Name) | b64dec
    | default (randAlphaNum 32) }}
  text: {{ $text }}
"""
_CREDENTIALS = """
credentials:
  - {name: password, valueFrom: {secretKeyRef: {name: "{{ .Release.Name }}", key: password}}}
"""
_APP = "trap 'exit 0' TERM; touch /tmp/ready; sleep infinity & wait"


def offered(addons: Path) -> None:
    """All addons of the checkout, and one that takes secrets as parameters."""
    copies(addons)
    probe(addons, VAULT, {"image": IMAGE})
    for chart in ("chart", "binding"):
        (addons / VAULT / chart / "templates/objects.yaml").write_text(_OBJECTS)
    (addons / VAULT / "binding/credentials.yaml").write_text(_CREDENTIALS)


@dataclass
class Scene:
    """Everything runs and is watched."""

    running: Broker
    platform: HeardPlatform
    bridge: HeardBridge
    app: str  # its namespace
    evidence: Evidence
    files: Files
    secrets: set[Secret] = field(default_factory=set)

    def plant(self, kind: Kind, name: str, *, begin: str = "canary") -> str:
        """A secret that nobody has seen before."""
        value = f"{begin}{uuid.uuid4().hex}"
        self.know(kind, name, value)
        return value

    def know(self, kind: Kind, name: str, value: str | bytes) -> None:
        """Something is a secret."""
        self.secrets.add(Secret(kind, name, value.encode() if isinstance(value, str) else value))

    def know_files(self) -> None:
        """What is in the files that hold keys and logins, and in the kubeconfig."""
        user, _, password = (self.running.data_dir / "platform-credentials").read_text().strip().partition(":")
        self.know(Kind.LOGINS, f"password of {user}", password)
        self.know(Kind.LOGINS, "header of the platform", base64.b64encode(f"{user}:{password}".encode()))
        self.know(Kind.LOGINS, "first token of the bridge", self.bridge.token)
        (access,) = yaml.safe_load(Path(os.environ["KUBECONFIG"]).read_text())["users"]
        self.know(
            Kind.LOGINS, "key to the cluster", base64.b64decode(access["user"]["client-key-data"]).splitlines()[1]
        )
        for folder in (self.running.data_dir, self.running.data_dir.parent / "bridge"):
            for name, key in json.loads((folder / "keys.json").read_text())["keys"].items():
                text = key.removeprefix("wrap:")
                self.know(Kind.KEYS, f"{name} of {folder.name}", text)
                self.know(Kind.KEYS, f"{name} of {folder.name}, as bytes", base64.b64decode(text))

    def operate(self, *arguments: str, place: Place = Place.COMMANDS) -> Said:
        """A command of the operator; what it says is seen in `place`."""
        addons = str(self.running.data_dir.parent / "addons")
        said = operate(self.running, *arguments, LOG_LEVEL="debug", ADDONS_DIR=addons)
        self.evidence.add(place, " ".join(arguments), said.output + said.errors)
        return said

    def operate_bridge(self, *arguments: str) -> int:
        """The same with the bridge, whose audit is looked at: the exit status."""
        argv = [sys.executable, "-m", "helmbroker.controller_bridge", *arguments]
        given = {**os.environ, "HELMBROKER_BRIDGE_DATA_DIR": str(self.running.data_dir.parent / "bridge")}
        done = subprocess.run(argv, env=given, cwd=CHECKOUT, capture_output=True, timeout=200, check=False)
        self.evidence.add(Place.AUDIT, f"bridge {' '.join(arguments)}", done.stdout + done.stderr)
        return done.returncode

    def login(self, kind: str, name: str) -> str:
        """A new one, as the operator makes it: the command's output is what it is for."""
        said = operate(self.running, kind, "add", name)
        made = said.output.strip()
        assert said.status == 0, said.errors
        self.know(Kind.LOGINS, f"{kind} {name}", made)
        return made


@contextmanager
def scene(kube: Kube, folder: Path) -> Iterator[Scene]:
    """Start it. When it ends, everything has been seen."""
    evidence, given = Evidence(), {"TMPDIR": str(folder / "tmp")}
    (folder / "tmp").mkdir()
    offered(folder / "addons")
    pods = Path(os.environ["KUBECONFIG"]).parent / "pod-logs"
    assert pods.is_dir(), f"there is no {pods}: this test looks into pods from outside, on the sandbox's machine"
    with ExitStack() as stack:
        app = stack.enter_context(throw_away_namespace(kube))
        of_the_app: set[str] = set()
        stack.enter_context(processes.watched(evidence, folder.parent / "processes", of_the_app))
        settings = {**given, "HELMBROKER_ADDONS_DIR": str(folder / "addons")}
        running = stack.enter_context(broker(kube, folder, environment=settings))
        cluster = Cluster(evidence, running.namespace, app, of_the_app)
        logs = (running.log, folder / "bridge.log")
        files = Files(evidence, folder, logs=logs, pods=pods, namespaces=cluster.namespaces)
        stack.enter_context(cluster.watched())
        stack.enter_context(files.watched())
        debug = {**given, "HELMBROKER_BRIDGE_LOG_LEVEL": "debug"}
        its_bridge = stack.enter_context(bridge(folder, running, environment=debug))
        _open(kube, app)
        yield Scene(
            running,
            HeardPlatform(**vars(running.platform), evidence=evidence),
            HeardBridge.of(its_bridge, evidence),
            app,
            evidence,
            files,
            cluster.secrets,
        )


def _open(kube: Kube, app: str) -> None:
    kube.create(process(app, "web", command=["/bin/sh", "-c", _APP]))

    def serves() -> bool | None:
        found = kube.get("Deployment", app, "shop-web") or {}
        return found.get("status", {}).get("readyReplicas") == 1 or None

    eventually(serves, within_s=120)
