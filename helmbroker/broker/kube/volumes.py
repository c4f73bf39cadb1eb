"""Volumes that have grown since a revision of a Helm release: they stay as they are when the release goes back.

Kubernetes lets no claim ask for less than its volume has (`field can not be less than status.capacity`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from helmbroker.broker.domain.helm_errors import ClusterRefused
from helmbroker.broker.domain.naming import ReleaseRef
from helmbroker.broker.gate import BadManifest
from helmbroker.broker.kube import release_secret
from helmbroker.broker.kube.objects import CLAIM
from helmbroker.broker.kube.translated import translated
from helmbroker.durable import Transient
from helmbroker.kubeapi import room
from helmbroker.kubeapi.errors import Conflict
from helmbroker.kubeapi.port import Kube, Obj


def grown(kube: Kube, namespace: str, secret: Obj) -> dict[str, str]:
    """See broker.domain.ports.Cluster.grown; of the revision that a Secret holds."""
    found = {}
    for wanted in release_secret.manifest(secret):
        if wanted["kind"] != CLAIM:
            continue
        name = wanted["metadata"]["name"]
        with translated():
            claim = kube.get(CLAIM, namespace, name)
        sizes = [] if claim is None else [*_sizes(claim)]
        largest = max(sizes, key=room.quantity, default="0")
        if room.quantity(largest) > max(map(room.quantity, _sizes(wanted)), default=0.0):
            found[name] = largest
    return found


def keep_grown(kube: Kube, ref: ReleaseRef, secret: Obj, meanwhile: Callable[[], None]) -> None:
    """See broker.domain.ports.Cluster.keep_grown; likewise."""
    sizes = grown(kube, ref.namespace, secret)
    if not sizes:
        return
    try:
        change = release_secret.asking(secret, sizes)
    except BadManifest as error:
        name = secret["metadata"]["name"]
        raise ClusterRefused(f"The Secret {name}, which Helm keeps, cannot be read: {error}.") from None
    meanwhile()
    seen = secret["metadata"]["resourceVersion"]
    with translated():
        try:
            kube.patch("Secret", ref.namespace, secret["metadata"]["name"], change, resource_version=seen)
        except Conflict:
            raise Transient("the Helm release was changed while it was read") from None


def _sizes(claim: Obj) -> Iterable[str]:
    """What it asks for, and what it has; an expansion that is under way may have done with either."""
    asked = ((claim.get("spec") or {}).get("resources") or {}).get("requests") or {}
    has = (claim.get("status") or {}).get("capacity") or {}
    return [each["storage"] for each in (asked, has) if "storage" in each]
