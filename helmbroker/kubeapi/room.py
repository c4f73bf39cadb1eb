"""What a pod asks for, and what the nodes have free: counted as the scheduler does. Pure.

Amounts are numbers by name of the resource: `cpu` in cores, everything else in bytes or pieces.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from helmbroker.kubeapi.port import Obj

Amounts = Mapping[str, float]
_QUANTITY = re.compile(r"([+-]?[0-9]*\.?[0-9]*)(?:([eE][+-]?[0-9]+)|(n|u|m|k|Ki|M|Mi|G|Gi|T|Ti|P|Pi|E|Ei))?")
_FACTORS = {"": Decimal(1), "n": Decimal("1e-9"), "u": Decimal("1e-6"), "m": Decimal("1e-3"), "k": Decimal(1000)}
_FACTORS |= {f"{letter}i": Decimal(1024) ** power for power, letter in enumerate("KMGTPE", 1)}
_FACTORS |= {letter: Decimal(1000) ** power for power, letter in enumerate("MGTPE", 2)}
_UNITS = {"memory": "GiB", "ephemeral-storage": "GiB of disk", "cpu": "CPU", "pods": "pods"}
_GIB = 1 << 30
_OVER = frozenset({"Succeeded", "Failed"})


def quantity(text: object) -> float:
    """A quantity of the API, such as 100m, 1.5 or 4Gi, as a number. Raises ValueError.

    What the server reads is read: blanks around it, and a suffix alone, which is nothing of it.
    """
    given = str(text).strip()
    found = _QUANTITY.fullmatch(given)
    if found is None or not given:
        raise ValueError(f"{text!r} is no quantity of Kubernetes")
    digits, exponent, suffix = found.groups("")
    try:
        return float(Decimal((digits if digits.strip("+-.") else "0") + exponent) * _FACTORS[suffix])
    except ArithmeticError:
        raise ValueError(f"{text!r} is no quantity of Kubernetes") from None


def asked(pod: Obj) -> Amounts:
    """What the scheduler looks for: containers run together, init containers one after the other.

    An init container that is restarted always (a sidecar) runs beside all that come after it.
    """
    spec = pod.get("spec", {})
    together: dict[str, float] = {}
    most: dict[str, float] = {}
    for container in spec.get("initContainers") or ():
        its = _requests(container)
        if container.get("restartPolicy") == "Always":
            together = _sum(together, its)
        most = _most(most, _sum(together, its) if container.get("restartPolicy") != "Always" else together)
    for container in spec.get("containers") or ():
        together = _sum(together, _requests(container))
    of_the_pod = _requests(spec)  # where it says something, it outweighs the containers
    return _sum({**_most(most, together), **of_the_pod}, _amounts(spec.get("overhead")))


def free(nodes: Iterable[Obj], pods: Sequence[Obj]) -> dict[str, Amounts]:
    """What each node that takes pods has left: its allocatable amounts less what its pods have asked for."""
    left: dict[str, Amounts] = {}
    for node in nodes:
        if node.get("spec", {}).get("unschedulable"):
            continue
        name = node["metadata"]["name"]
        its = [pod for pod in pods if pod.get("spec", {}).get("nodeName") == name and not _is_over(pod)]
        used = {"pods": float(len(its))}
        for pod in its:
            used = _sum(used, asked(pod))
        allocatable = _amounts(node.get("status", {}).get("allocatable"))
        left[name] = {resource: amount - used.get(resource, 0.0) for resource, amount in allocatable.items()}
    return left


def roomiest(room: Mapping[str, Amounts], wanted: Amounts, lacking: Sequence[str]) -> Amounts | None:
    """What the node has free that comes nearest to having room, looking at the `lacking` resources."""

    def share(left: Amounts) -> float:
        return min(left.get(name, 0.0) / (wanted.get(name) or 1.0) for name in lacking)

    return max(room.values(), key=share, default=None) if lacking else None


def lacking(message: str) -> list[str]:
    """The resources that a scheduler's message calls insufficient; `Too many pods` is one of pods."""
    found = re.findall(r"Insufficient ([a-z0-9./-]*[a-z0-9])", message)
    return list(dict.fromkeys([*found, *(["pods"] if "Too many pods" in message else [])]))


def text(amounts: Amounts, names: Iterable[str]) -> str:
    """These amounts for people: `2 CPU and 4 GiB`."""
    return " and ".join(_one(name, amounts.get(name, 0.0)) for name in names)


def _one(name: str, amount: float) -> str:
    if name in ("memory", "ephemeral-storage"):
        amount /= _GIB
    number = f"{max(amount, 0.0):.2f}".rstrip("0").rstrip(".")
    return f"{number} {_UNITS.get(name, name)}"


def _requests(container: Obj) -> dict[str, float]:
    resources = container.get("resources") or {}
    return {**_amounts(resources.get("limits")), **_amounts(resources.get("requests"))}


def _amounts(given: Mapping[str, object] | None) -> dict[str, float]:
    return {name: quantity(amount) for name, amount in (given or {}).items()}


def _sum(one: Amounts, other: Amounts) -> dict[str, float]:
    return {name: one.get(name, 0.0) + other.get(name, 0.0) for name in {**one, **other}}


def _most(one: Amounts, other: Amounts) -> dict[str, float]:
    return {name: max(one.get(name, 0.0), other.get(name, 0.0)) for name in {**one, **other}}


def _is_over(pod: Obj) -> bool:
    return pod.get("status", {}).get("phase") in _OVER
