"""What the next update of a migrated instance would do: nothing may come to be called otherwise. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from helmbroker import audit
from helmbroker.catalog.model import JSON, Object
from helmbroker.catalog.values import canonical, merge

_HELD = frozenset({"StatefulSet", "Deployment", "DaemonSet", "Service", "Secret", "PersistentVolumeClaim"})
_WORKLOADS = frozenset({"StatefulSet", "Deployment", "DaemonSet"})
# of a StatefulSet: volumes are found by the first two, and the cluster lets none of them be changed
_FIXED = ("serviceName", "volumeClaimTemplates", "podManagementPolicy", "selector")
# what the cluster and charts write into claims beside what they ask for
_CLAIM = {"metadata": ("name",), "spec": ("accessModes", "resources", "storageClassName", "volumeMode", "selector")}


def endangered(running: Sequence[Object], rendered: Sequence[Object]) -> list[str]:
    """What of a Helm release would get lost with its data or its way to it, each as 'Kind name: why'."""
    after = {_name(obj): obj for obj in rendered}
    return [text for obj in running if obj.get("kind") in _HELD for text in _lost(obj, after.get(_name(obj)))]


def differing(running: Object, wanted: Object) -> list[str]:
    """Paths of Helm values that an update would change, bounded; never a value."""
    before, after = _leaves(running), _leaves(wanted)
    return audit.bounded({path for path in {*before, *after} if before.get(path) != after.get(path)})


def lacking(operator: Object, below: Object, overrides: Object) -> list[str]:
    """Paths of the operator's old values that counted, and that nothing of today sets.

    below: the values of plan and user, which won over the operator's there (B81).
    """
    counted, set_today = _leaves(merge(operator, below)), _leaves(merge(below, overrides))
    return audit.bounded(
        {path for path, value in _leaves(operator).items() if counted.get(path) == value and path not in set_today}
    )


def _leaves(values: Object) -> dict[str, str]:
    return {path: canonical(value) for path, value in audit.leaves(values)}


def _lost(before: Object, after: Object | None) -> Iterator[str]:
    kind, name = _name(before)
    if after is None:
        yield f"{kind} {name}: there would be none of this name"
        return
    old, new = _spec(before), _spec(after)
    for key in _FIXED if kind == "StatefulSet" else ("selector",) if kind in _WORKLOADS else ():
        one, other = old.get(key), new.get(key)
        if key == "volumeClaimTemplates":
            one, other = _claims(one), _claims(other)
        if canonical(one) != canonical(other):
            yield f"{kind} {name}: {key} would be another"


def _name(obj: Object) -> tuple[str, str]:
    metadata = obj.get("metadata")
    return str(obj.get("kind")), str(metadata.get("name") if isinstance(metadata, Mapping) else None)


def _spec(obj: Object) -> Mapping[str, Any]:
    found = obj.get("spec")
    return found if isinstance(found, Mapping) else {}


def _claims(templates: Any) -> list[JSON]:
    return [
        {part: {key: (each.get(part) or {}).get(key) for key in keys} for part, keys in _CLAIM.items()}
        for each in templates or ()
    ]
