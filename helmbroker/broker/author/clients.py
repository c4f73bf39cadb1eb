"""Clients of an addon: pods that run a step of its contract with what a binding has delivered."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from helmbroker.broker.author.stage import CheckFailed
from helmbroker.catalog.contract import Contract
from helmbroker.kubeapi.port import Kube, Obj

_LIMIT_S = 120.0
_LOOK_S = 0.25
_USER = 65532  # nobody's, as whoever uses a service is not the user that runs it


class Refused(Exception):
    """The step has failed; the text is what it said at the end."""


class Clients:
    """Runs steps one after the other, each in a pod of its own."""

    def __init__(self, kube: Kube, namespace: str, pause: Callable[[float], None] = time.sleep) -> None:
        self._kube, self._namespace, self._pause = kube, namespace, pause
        self._number = 0

    def run(self, contract: Contract, image: str, step: str, credentials: Mapping[str, str]) -> None:
        """Raises Refused; CheckFailed when the pod cannot run."""
        self._number += 1
        name = f"client-{self._number}-{step}"
        metadata = {"name": name, "namespace": self._namespace}
        texts = {key.upper(): value for key, value in credentials.items()}
        self._kube.create({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": texts})
        self._kube.create(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": metadata,
                "spec": _pod(contract.command(step), image, name),
            }
        )
        try:
            self._ended(name, step)
        finally:
            self._kube.delete("Pod", self._namespace, name)
            self._kube.delete("Secret", self._namespace, name)

    def _ended(self, name: str, step: str) -> None:
        said = "it was not started"
        for _ in range(int(_LIMIT_S / _LOOK_S)):
            pod = self._kube.get("Pod", self._namespace, name) or {}
            status: dict[str, Any] = pod.get("status") or {}
            if status.get("phase") == "Succeeded":
                return
            states = [each.get("state") or {} for each in status.get("containerStatuses") or ()]
            if status.get("phase") == "Failed":
                raise Refused(" ".join(str((each.get("terminated") or {}).get("message", "")) for each in states))
            waiting = [each["waiting"] for each in states if each.get("waiting")]
            said = "; ".join(f"{each.get('reason')} {each.get('message', '')}".strip() for each in waiting) or said
            self._pause(_LOOK_S)
        raise CheckFailed(f"the client's pod for the step {step} did not end within {_LIMIT_S:.0f} s: {said}")


def _pod(command: list[str], image: str, secret: str) -> Obj:
    container = {
        "name": "client",
        "image": image,
        "command": command,
        "envFrom": [{"secretRef": {"name": secret}}],
        "env": [{"name": "HOME", "value": "/tmp"}],  # noqa: S108  # in the pod
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108
    }
    return {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 0,
        "activeDeadlineSeconds": int(_LIMIT_S),
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": _USER,
            "runAsGroup": _USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
        "volumes": [{"name": "tmp", "emptyDir": {}}],
    }
