"""Which fields of an object somebody has changed who is neither Helm nor the cluster. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from helmbroker.kubeapi.port import Obj

_CONTENT = ("spec", "data", "stringData", "binaryData")
# they write what the cluster itself decides: replicas of an autoscaler, addresses, sizes of volumes
_CLUSTER = frozenset(
    {"kube-controller-manager", "kube-scheduler", "kubelet", "kube-apiserver", "cloud-controller-manager", "k3s"}
)
_ABSENT = object()


def changed_fields(live: Obj, made: Obj, helm: str) -> list[str]:
    """Fields such as 'spec.replicas by kubectl' that others set to what the chart does not say.

    made: the object as the chart has it; helm: the field manager of ours. Annotations do not count: restarts by
    hand leave some, and nothing runs otherwise for it.
    """
    found: list[str] = []
    for entry in live["metadata"].get("managedFields") or ():
        manager = entry.get("manager", "")
        if manager == helm or manager in _CLUSTER or entry.get("subresource") == "status":
            continue
        fields = entry.get("fieldsV1") or {}
        for part in _CONTENT:
            owned = fields.get(f"f:{part}")
            if owned is not None:
                found += _differing(owned, live.get(part, _ABSENT), made.get(part, _ABSENT), part, manager)
    if not found and _scaled(live, made):
        found = ["spec.replicas"]
    return sorted(set(found))


def _scaled(live: Obj, made: Obj) -> bool:
    """Whether the replicas are others than the chart says, without an autoscaler: scaling to 0 leaves no name."""
    wanted = _field(made.get("spec"), "replicas")
    entries = live["metadata"].get("managedFields") or ()
    by_cluster = [
        each for each in entries if each.get("manager") in _CLUSTER and each.get("subresource") == "scale"
    ]
    return wanted is not _ABSENT and not by_cluster and _field(live.get("spec"), "replicas") != wanted


def _differing(owned: Mapping[str, Any], live: Any, made: Any, path: str, manager: str) -> Iterator[str]:
    inner = {key: value for key, value in owned.items() if key != "."}
    if not inner:
        if live != made and live is not _ABSENT:
            yield f"{path} by {manager}"
        return
    for key, below in inner.items():
        if key == "f:annotations":
            continue
        name, of_live, of_made = _child(key, live, made)
        yield from _differing(below, of_live, of_made, f"{path}{name}", manager)


def _child(key: str, live: Any, made: Any) -> tuple[str, Any, Any]:
    """One level down: a field (f:), an item of a list by its keys (k:), or by its value (v:)."""
    kind, _, rest = key.partition(":")
    if kind == "f":
        return f".{rest}", _field(live, rest), _field(made, rest)
    wanted = json.loads(rest)
    shown = ",".join(map(str, wanted.values())) if kind == "k" else str(wanted)
    return f"[{shown}]", _item(live, kind, wanted), _item(made, kind, wanted)


def _field(value: Any, name: str) -> Any:
    return value.get(name, _ABSENT) if isinstance(value, Mapping) else _ABSENT


def _item(value: Any, kind: str, wanted: Any) -> Any:
    for each in value if isinstance(value, list) else ():
        if kind == "k" and isinstance(each, Mapping) and wanted.items() <= each.items():
            return each
        if kind == "v" and each == wanted:
            return each
    return _ABSENT
