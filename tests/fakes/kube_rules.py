"""What the Kubernetes API server changes in, and refuses about, the objects it is given."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from typing import Any

from helmbroker.kubeapi import room
from helmbroker.kubeapi.errors import Conflict, Invalid, KubeError
from helmbroker.kubeapi.kinds import KINDS, Kind, ObjectRef
from helmbroker.kubeapi.port import Obj
from tests.fakes.kube_fields import merge_patch

NO_QUANTITY = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
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


def refuse_odd_quantities(action: str, ref: ObjectRef, obj: Obj, *, applied: bool = False) -> None:
    """Invalid when a container or a claim asks for what is no quantity; server-side apply says 500 for that."""
    if not has_odd_quantity(obj):
        return
    kind, group = ref.kind.name, ref.kind.api_version
    said = f'{kind} in version "{group.rpartition("/")[2]}" cannot be handled as a {kind}: {NO_QUANTITY}'
    if applied:
        new = f"failed to convert new object ({ref.namespace}/{ref.name}; {group}, Kind={kind}) to proper version"
        said = f"{new}: unable to convert unstructured object to {group}, Kind={kind}: {NO_QUANTITY}"
    raise Invalid(action, said, status=500 if applied else 400, reason="" if applied else "BadRequest")


def has_odd_quantity(obj: Mapping[str, Any]) -> bool:
    """Whether something is requested, or limited, of which the server cannot read how much."""
    return not all(is_quantity(amount) for amount in _amounts(obj))


def is_quantity(text: object) -> bool:
    """Whether the server can read it."""
    try:
        room.quantity(text)
    except ValueError:
        return False
    return True


def _amounts(value: object) -> Iterator[object]:
    """Everything that is requested, or a limit, anywhere in an object."""
    if isinstance(value, list):
        for each in value:
            yield from _amounts(each)
    if isinstance(value, Mapping):
        resources = value.get("resources")
        for name in ("requests", "limits"):
            if isinstance(resources, Mapping):
                yield from (resources.get(name) or {}).values()
        for each in value.values():
            yield from _amounts(each)
