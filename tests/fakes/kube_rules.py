"""What the Kubernetes API server changes in, and refuses about, the objects it is given."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from helmbroker.kubeapi.errors import Conflict, Invalid, KubeError
from helmbroker.kubeapi.kinds import KINDS, Kind, ObjectRef
from helmbroker.kubeapi.port import Obj
from tests.fakes.kube_fields import merge_patch

_WITH_STATUS = {
    "Namespace", "Node", "PersistentVolume", "PersistentVolumeClaim", "Pod", "Service", "ResourceQuota",
    "Deployment", "StatefulSet", "ReplicaSet", "DaemonSet", "Job", "CronJob", "HorizontalPodAutoscaler",
    "PodDisruptionBudget", "Ingress",
}  # fmt: skip


def has_status(kind: Kind) -> bool:
    """Whether the status is kept apart; so it is in custom resources that are worth the name."""
    return kind.name in _WITH_STATUS or kind.id not in KINDS


def prepared(obj: Obj) -> Obj:
    """A copy as the server keeps it: no nulls, stringData moved into data."""
    prepared: Obj = merge_patch({}, obj)
    if prepared["kind"] == "Namespace":
        labels = prepared["metadata"].setdefault("labels", {})
        labels["kubernetes.io/metadata.name"] = prepared["metadata"]["name"]
    texts = prepared.pop("stringData", None) if prepared["kind"] == "Secret" else None
    if texts:
        encoded = {key: base64.b64encode(text.encode()).decode() for key, text in texts.items()}
        prepared["data"] = {**prepared.get("data", {}), **encoded}
    return prepared


def refusal(error: type[KubeError], action: str, ref: ObjectRef, what: str) -> KubeError:
    """The error, in the words and with the status and reason of the server."""
    reason = error.__name__
    status = {"NotFound": 404, "Invalid": 422}.get(reason, 409)
    return error(action, f'{_resource(ref.kind)} "{ref.name}" {what}', status=status, reason=reason)


def _resource(kind: Kind) -> str:
    group = kind.api_version.rpartition("/")[0]
    return f"{kind.plural}.{group}" if group else kind.plural


def refuse_other_version(action: str, ref: ObjectRef, sent: Mapping[str, Any], current: Obj) -> None:
    """Conflict when what was sent names a resourceVersion that is not the stored one."""
    expected = (sent.get("metadata") or {}).get("resourceVersion")
    if expected and expected != current["metadata"]["resourceVersion"]:
        raise refusal(Conflict, action, ref, "has been modified; please apply your changes to the latest version")


def refuse_mutation(action: str, ref: ObjectRef, current: Obj, wanted: Obj) -> None:
    """Invalid when a field would change that is fixed at creation."""
    if ref.kind.name == "Secret" and current.get("type", "Opaque") != wanted.get("type", "Opaque"):
        raise refusal(Invalid, action, ref, "is invalid: type: field is immutable")
    if (
        ref.kind.name in ("Secret", "ConfigMap")
        and current.get("immutable")
        and (any(current.get(part) != wanted.get(part) for part in ("data", "binaryData", "immutable")))
    ):
        raise refusal(Invalid, action, ref, "is invalid: data: field is immutable when `immutable` is set")
    if ref.kind.name in ("Deployment", "StatefulSet", "ReplicaSet", "Job") and (
        current.get("spec", {}).get("selector") != wanted.get("spec", {}).get("selector")
    ):
        raise refusal(Invalid, action, ref, "is invalid: spec.selector: field is immutable")
