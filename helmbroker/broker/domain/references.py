"""What a reference of a credentials template gives: a value, what is waited for, or a refusal. Pure."""

from __future__ import annotations

from typing import Any

from helmbroker.broker.domain.cluster import NotReady
from helmbroker.broker.domain.helm_errors import ClusterRefused
from helmbroker.catalog.jsonpath import Missing
from helmbroker.catalog.model import JSON, Object
from helmbroker.catalog.references import Ref, RefKind


def value_of(ref: Ref, obj: Object | None, owner: str | None, owners: frozenset[str]) -> JSON | NotReady:
    """What there is at the place that is meant.

    obj: the object as templates see it, its data as texts; None: there is none. owner: the Helm release that made
    it; owners: those that may be referred to. Raises ClusterRefused for an object of anybody else: a template must
    not read what the tenant could not, such as other Secrets of the namespace.
    """
    what = f"{ref.kind} {ref.name}"
    if obj is None:
        return NotReady(f"{what} is not there", hopeless=True)
    if owner not in owners:
        raise ClusterRefused(
            f"The credentials template refers to {what}, which its Helm releases did not make. "
            "The addon's author has to mend it."
        )
    try:
        found: JSON = ref.template.all(obj) if ref.every else ref.template.first(obj)
    except Missing:
        if ref.kind is RefKind.SERVICE and _has_no_address_yet(obj):
            return NotReady(f"{what} has no address yet: its load balancer is being made")
        return NotReady(f"{what} has nothing at {ref.template.text.strip()}", hopeless=True)
    return found


def _has_no_address_yet(service: Any) -> bool:
    balancer = (service.get("status") or {}).get("loadBalancer") or {}
    return service.get("spec", {}).get("type") == "LoadBalancer" and not balancer.get("ingress")
