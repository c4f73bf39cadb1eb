"""Secrets `servicebinding.io/<type>`: credentials for workloads that read them by themselves."""

from __future__ import annotations

import base64
from collections.abc import Mapping

from helmbroker.controller_bridge.apps.names import MANAGED_BY, MANAGER, OFFERED
from helmbroker.controller_bridge.apps.port import AppsUnavailable, CannotRelease
from helmbroker.kubeapi.errors import AlreadyExists
from helmbroker.kubeapi.port import Kube, Obj

_TYPE = "servicebinding.io/"


class OfferedSecrets:
    """Those of one cluster. A ServiceBinding names one as its service (Direct Secret Reference)."""

    def __init__(self, kube: Kube) -> None:
        self._kube = kube

    def keep(self, app: str, name: str, entries: Mapping[str, str]) -> None:
        """Make the Secret, or give it these entries and no others. Raises CannotRelease, AppsUnavailable."""
        data = {key: base64.b64encode(value.encode()).decode() for key, value in entries.items()}
        wanted = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name, "namespace": app, "labels": {MANAGED_BY: MANAGER, OFFERED: "true"}},
            "type": _TYPE + entries["type"],
            "data": data,
        }
        there = self._mine(app, name)
        if there is not None and there.get("type") != wanted["type"]:  # which never changes
            self._kube.delete("Secret", app, name, uid=there["metadata"]["uid"])
            there = None
        if there is None:
            try:
                self._kube.create(wanted)
            except AlreadyExists:
                raise AppsUnavailable(
                    f"Secret {app}/{name} is made by others at the same time; try again"
                ) from None
        elif there.get("data") != data:
            gone = dict.fromkeys(set(there.get("data") or {}) - set(data))
            version = there["metadata"]["resourceVersion"]
            self._kube.patch("Secret", app, name, {"data": {**gone, **data}}, resource_version=version)

    def remove(self, app: str, name: str) -> None:
        """Delete it where it is the bridge's own."""
        there = self._kube.get("Secret", app, name)
        if there is not None and _is_mine(there):
            self._kube.delete("Secret", app, name, uid=there["metadata"]["uid"])

    def _mine(self, app: str, name: str) -> Obj | None:
        there = self._kube.get("Secret", app, name)
        if there is not None and not _is_mine(there):
            raise CannotRelease(
                f"Secret {app}/{name} was not made by the bridge: rename or delete it, the bridge needs the name"
            )
        return there


def _is_mine(secret: Obj) -> bool:
    labels = secret["metadata"].get("labels") or {}
    return str(secret.get("type")).startswith(_TYPE) and labels.get(MANAGED_BY) == MANAGER and OFFERED in labels
