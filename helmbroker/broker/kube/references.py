"""Objects as the references of credentials templates see them."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from helmbroker.broker.domain.cluster import NotReady
from helmbroker.broker.domain.references import value_of
from helmbroker.broker.kube.objects import BY_HELM, Objects
from helmbroker.catalog.model import JSON
from helmbroker.catalog.references import Ref
from helmbroker.kubeapi.port import Kube, Obj

BINARY = "base64:"  # before what is no text, in the alphabet of RFC 4648 section 4
_INSTANCE = "app.kubernetes.io/instance"  # by convention of charts: the Helm release
_RELEASE_NAME = "meta.helm.sh/release-name"  # Helm writes it on all that it makes


def values(kube: Kube, namespace: str, refs: Sequence[Ref], owners: frozenset[str]) -> dict[Ref, JSON | NotReady]:
    """One list request for each kind; and one for each object that its chart has not labelled as charts do."""
    there = Objects(kube, namespace, f"{BY_HELM},{_INSTANCE} in ({','.join(sorted(owners))})")
    found: dict[Ref, JSON | NotReady] = {}
    for ref in refs:
        obj = there.find(ref.kind, ref.name)
        owner = None if obj is None else (obj["metadata"].get("annotations") or {}).get(_RELEASE_NAME)
        found[ref] = value_of(ref, None if obj is None else _SEEN[ref.kind](obj), owner, owners)
    return found


def _secret(obj: Obj) -> Obj:
    """Its values as texts; what is no text stays in base64, and is marked."""
    return {**obj, "data": {key: _decoded(value) for key, value in _map(obj, "data").items()}}


def _decoded(value: str) -> str:
    try:
        return base64.b64decode(value).decode()
    except UnicodeDecodeError:
        return BINARY + value


def _config_map(obj: Obj) -> Obj:
    binary = {key: BINARY + value for key, value in _map(obj, "binaryData").items()}
    return {**obj, "data": {**binary, **_map(obj, "data")}}


def _service(obj: Obj) -> Obj:
    """With an address where one can be told: clouds give a load balancer an IP or a host name, and either answers
    to both; a Service without an IP of its own (`clusterIP: None`) is reached by its name.
    """
    spec, status = _map(obj, "spec"), _map(obj, "status")
    balancer = _map(status, "loadBalancer")
    if spec.get("clusterIP") == "None":
        spec = {**spec, "clusterIP": f"{obj['metadata']['name']}.{obj['metadata']['namespace']}.svc"}
    addresses = [
        {"ip": each.get("hostname"), "hostname": each.get("ip"), **each} for each in balancer.get("ingress") or ()
    ]
    return {**obj, "spec": spec, "status": {**status, "loadBalancer": {**balancer, "ingress": addresses}}}


def _map(obj: Mapping[str, Any], key: str) -> dict[str, Any]:
    return obj.get(key) or {}


_SEEN = {"Secret": _secret, "ConfigMap": _config_map, "Service": _service}
