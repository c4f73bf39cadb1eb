"""What a release takes of quotas by its pods and their claims, of which the API server is not told. Pure.

A lower bound: what LimitRanges add by default, DaemonSets and CronJobs are not counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from helmbroker.catalog.model import Object
from helmbroker.kubeapi import room
from helmbroker.kubeapi.port import Obj
from helmbroker.kubeapi.room import Amounts

_REPLICAS = {"Deployment": "replicas", "StatefulSet": "replicas", "Job": "parallelism"}
_CLAIMS, _STORAGE = "persistentvolumeclaims", "requests.storage"
_COUNTED = ("cpu", "memory", "ephemeral-storage")
_UNITS = {"storage": "memory"}  # both are bytes


def growth(objects: Iterable[Object], hooks: Iterable[Object], before: Iterable[Obj]) -> dict[str, float]:
    """What the objects ask for beyond what those before them did; of the hooks the largest, as they follow."""
    wanted, had = _needed(objects), _needed(before)
    each = [_needed([hook]) for hook in hooks]
    more = {name: max(one.get(name, 0.0) for one in each) for name in {key for one in each for key in one}}
    names = {*wanted, *had, *more}
    return {name: wanted.get(name, 0.0) - had.get(name, 0.0) + more.get(name, 0.0) for name in names}


def lacking(quotas: Iterable[Obj], wanted: Amounts) -> list[str]:
    """Sentences about the quotas that have not so much left. Those for certain pods only are left out."""
    told = []
    for each in quotas:
        spec, status = each.get("spec") or {}, each.get("status") or {}
        hard, used = status.get("hard") or {}, status.get("used") or {}
        if spec.get("scopes") or spec.get("scopeSelector"):
            continue
        for name in sorted(set(hard) & set(used)):
            more, free = wanted.get(name, 0.0), room.quantity(hard[name]) - room.quantity(used[name])
            if more > max(free, 0.0):
                left = f"{_text(name, free)} of {_text(name, room.quantity(hard[name]))} left"
                told.append(
                    f"exceeded quota {each['metadata']['name']}: {name}: {_text(name, more)} more needed, {left}"
                )
    return told


def _needed(objects: Iterable[Object]) -> dict[str, float]:
    total: dict[str, float] = {}
    for obj in objects:
        kind, spec = str(obj.get("kind")), obj.get("spec")
        if not isinstance(spec, dict):
            continue
        if kind == "PersistentVolumeClaim":
            _add(total, _claim(spec), 1)
        if kind in _REPLICAS:
            times = spec.get(_REPLICAS[kind], 1)
            times = times if isinstance(times, int) else 1
            _add(total, _pod(spec.get("template")), times)
            for claim in spec.get("volumeClaimTemplates") or ():
                _add(total, _claim(claim.get("spec") or {}), times)
    return total


def _pod(template: Obj | None) -> Amounts:
    requests = room.asked(template or {})
    limits = room.asked(_with_limits_only(template or {}))
    found = {"pods": 1.0, **{f"limits.{name}": limits.get(name, 0.0) for name in _COUNTED}}
    for name in _COUNTED:
        found |= {name: requests.get(name, 0.0), f"requests.{name}": requests.get(name, 0.0)}
    return found


def _with_limits_only(template: Obj) -> Obj:
    spec = template.get("spec") or {}
    groups: Mapping[str, Sequence[Obj]] = {
        group: [
            {**each, "resources": {"requests": (each.get("resources") or {}).get("limits") or {}}}
            for each in spec.get(group) or ()
        ]
        for group in ("initContainers", "containers")
    }
    return {"spec": {**spec, **groups}}


def _claim(spec: Obj) -> Amounts:
    asked = ((spec.get("resources") or {}).get("requests") or {}).get("storage", 0)
    return {_CLAIMS: 1.0, _STORAGE: room.quantity(asked)}


def _add(total: dict[str, float], more: Amounts, times: int) -> None:
    for name, amount in more.items():
        total[name] = total.get(name, 0.0) + amount * times


def _text(name: str, amount: float) -> str:
    base = name.rpartition(".")[2]
    return room.text({_UNITS.get(base, base): amount}, [_UNITS.get(base, base)])
