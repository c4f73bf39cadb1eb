"""Names of what the broker makes. Ids of clients are hashed: they never become names, paths or label values."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass


def digest(*parts: str, length: int) -> str:
    """Hex digits of a hash over the parts; a separator that no split can imitate keeps them apart."""
    total = hashlib.sha256()
    for part in parts:
        data = part.encode()
        total.update(len(data).to_bytes(8, "big") + data)
    return total.hexdigest()[:length]


@dataclass(frozen=True)
class ReleaseRef:
    """A Helm release. Both are valid Kubernetes names.

    The name has at most 47 characters, or, where another broker has chosen it (see `fullname`), 70.
    """

    namespace: str
    name: str


LONGEST_FULLNAME = 63
_OURS = "hb-"
_PREDECESSORS = "helmbroker-"  # of the Drycc helmbroker, for all that it installed


def instance_release(namespace: str, broker_id: str, instance_id: str) -> ReleaseRef:
    """The Helm release of a service instance: 23 characters.

    With the broker's id in it: what carries the name is this broker's, also when its Helm release is lost.
    """
    return ReleaseRef(namespace, f"{_OURS}{digest(broker_id, instance_id, length=20)}")


def is_ours(release: str) -> bool:
    """Whether a Helm release of this name was made here, and not by the broker before (decision 0056)."""
    return release.startswith(_OURS)


def fullname(release: str) -> str:
    """What the objects of a Helm release are named after. It never changes: data lies under these names.

    At most LONGEST_FULLNAME characters, as charts cut it off there, too (B73).
    """
    return release if is_ours(release) else f"{_PREDECESSORS}{release}"[:LONGEST_FULLNAME]


def binding_key(instance_id: str, binding_id: str) -> str:
    """16 hex digits that stand for the binding in names of objects and of database users."""
    return digest(instance_id, binding_id, length=16)


def binding_release(instance: ReleaseRef, instance_id: str, binding_id: str) -> ReleaseRef:
    """The Helm release of a binding: 40 characters."""
    return ReleaseRef(instance.namespace, f"{instance.name}-{binding_key(instance_id, binding_id)}")


CONTRACT = "\tcontract"  # id of the binding that a contract is tried with: no platform may send a control character


def client_release(binding: ReleaseRef) -> ReleaseRef:
    """The Helm release of a client of ours that uses a binding: 47 characters."""
    return ReleaseRef(binding.namespace, f"{binding.name}-client")


LABEL_BROKER = "helmbroker.io/broker"
LABEL_INSTANCE = "helmbroker.io/instance"
LABEL_BINDING = "helmbroker.io/binding"
LABEL_OPERATION = "helmbroker.io/operation"
LABEL_CLAIM = "helmbroker.io/claim"  # another one each time the broker deploys; others' helms carry it over


def instance_labels(broker_id: str, instance_id: str) -> dict[str, str]:
    """Labels on the Helm release of an instance: they prove that it is ours."""
    return {LABEL_BROKER: broker_id, LABEL_INSTANCE: digest(instance_id, length=40)}


def binding_labels(broker_id: str, instance_id: str, binding_id: str) -> dict[str, str]:
    """Labels on the Helm release of a binding."""
    labels = instance_labels(broker_id, instance_id)
    return {**labels, LABEL_BINDING: digest(instance_id, binding_id, length=40)}


LABEL_RECORD = "helmbroker.io/record"


def record_name(release: ReleaseRef) -> str:
    """The Secret in which the cluster remembers what has this Helm release: at most 47 characters."""
    return f"{release.name}-record"
