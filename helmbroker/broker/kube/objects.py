"""Objects of a namespace, in few requests however many are asked for."""

from __future__ import annotations

from helmbroker.broker.kube.translated import translated
from helmbroker.kubeapi.kinds import KINDS
from helmbroker.kubeapi.port import Kube, Obj

BY_HELM = "app.kubernetes.io/managed-by=Helm"  # on everything that Helm makes, but not on its own Secrets
CLAIM = "PersistentVolumeClaim"


class Objects:
    """What there is: each kind is listed once, when it is first asked for. `labels`: which ones are expected.

    Raises ClusterUnavailable, ClusterRefused.
    """

    def __init__(self, kube: Kube, namespace: str, labels: str = BY_HELM) -> None:
        self._kube, self._namespace, self._labels = kube, namespace, labels
        self._listed: dict[str, dict[str, Obj]] = {}

    def find(self, kind: str, name: str) -> Obj | None:
        """An object that is not on its way out. One of a kind that we do not know counts as there, and empty."""
        if kind not in KINDS:
            return {"metadata": {}, "kind": kind}
        if kind not in self._listed:
            labels = None if kind == CLAIM else self._labels  # claims are made by the cluster
            with translated():
                found = self._kube.list(kind, self._namespace, labels=labels)
            self._listed[kind] = {obj["metadata"]["name"]: obj for obj in found}
        listed = self._listed[kind].get(name)
        if listed is None and kind != CLAIM:  # without the labels: somebody may have taken them away
            with translated():
                listed = self._kube.get(kind, self._namespace, name)
            if listed is not None:
                self._listed[kind][name] = listed
        return None if listed is None or "deletionTimestamp" in listed["metadata"] else listed
