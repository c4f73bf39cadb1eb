"""What the operator grants an addon beyond what every addon may have. Read from one file; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from helmbroker.broker.gate import rbac
from helmbroker.catalog.documents import Document
from helmbroker.catalog.model import Fault, PodSecurity
from helmbroker.catalog.schemas import check, validator

# GROUP/KIND, or KIND of the group without a name: objects of the whole cluster, and what changes other instances
NEVER_GROUPS = frozenset(
    {
        "admissionregistration.k8s.io",
        "apiextensions.k8s.io",
        "apiregistration.k8s.io",
        "authentication.k8s.io",
        "authorization.k8s.io",
        "certificates.k8s.io",
        "discovery.k8s.io",
        "flowcontrol.apiserver.k8s.io",
        "node.k8s.io",
        "resource.k8s.io",
        "scheduling.k8s.io",
        "storage.k8s.io",
    }
)
NEVER_KINDS = frozenset(
    {
        "Binding",
        "Endpoints",
        "Event",
        "LimitRange",
        "Namespace",
        "Node",
        "PersistentVolume",
        "ResourceQuota",
        "networking.k8s.io/IngressClass",
        "rbac.authorization.k8s.io/ClusterRole",
        "rbac.authorization.k8s.io/ClusterRoleBinding",
    }
)
SERVICE_TYPES = ("LoadBalancer", "NodePort", "ExternalName")
_USED = ("ConfigMap", "PersistentVolumeClaim", "Secret", "ServiceAccount", "VolumeSnapshot")
_WORDS: dict[str, Any] = {"type": "array", "items": {"type": "string", "minLength": 1}}
_RULE: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["apiGroups", "resources", "verbs"],
    "properties": {
        "apiGroups": {"type": "array", "minItems": 1, "items": {"type": "string"}},
        **{key: {**_WORDS, "minItems": 1} for key in ("resources", "verbs", "resourceNames")},
    },
}
_RULES = validator(
    {
        "type": ["object", "null"],
        "additionalProperties": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "pod_security": {"enum": [level.value for level in PodSecurity]},
                "kinds": _WORDS,
                "service_types": {"type": "array", "items": {"enum": list(SERVICE_TYPES)}},
                "host_paths": {"type": "array", "items": {"type": "string", "pattern": "^(/[^/]+)+$"}},
                "volume_types": _WORDS,
                "uses": {"type": "array", "items": {"type": "string", "pattern": f"^({'|'.join(_USED)})/[^/]+$"}},
                "rbac": {"type": "array", "items": _RULE},
            },
        },
    }
)


@dataclass(frozen=True)
class Grants:
    """What one addon may have. See docs/reference/grants.md."""

    pod_security: PodSecurity | None = None
    kinds: frozenset[str] = frozenset()  # GROUP/KIND; KIND of the group without a name
    service_types: frozenset[str] = frozenset()
    host_paths: tuple[str, ...] = ()  # folders of nodes, with all that is below
    volume_types: frozenset[str] = frozenset()
    uses: frozenset[tuple[str, str]] = frozenset()  # objects of others: kind, name
    rbac: tuple[rbac.Rule, ...] = ()

    def level(self, wanted: PodSecurity) -> PodSecurity:
        """The level of a plan that wants this one: privileged has to be granted, the others need not be."""
        capped = PodSecurity.BASELINE if wanted is PodSecurity.PRIVILEGED else wanted
        return capped if self.pod_security is None else PodSecurity.widest(capped, self.pod_security)


NO_GRANTS = Grants()


def read(document: Document) -> tuple[Mapping[str, Grants], list[Fault]]:
    """The grants by name of the addon, and all that is wrong with the file."""
    faults = check(document, _RULES)
    if faults:
        return {}, faults
    data: Any = document.data or {}
    for name, given in data.items():
        faults += _hopeless(document, name, given)
    return {name: _grants(given) for name, given in data.items()}, faults


def _grants(given: Mapping[str, Any]) -> Grants:
    level = given.get("pod_security")
    used = (each.partition("/") for each in given.get("uses", ()))
    return Grants(
        pod_security=None if level is None else PodSecurity(level),
        kinds=frozenset(given.get("kinds", ())),
        service_types=frozenset(given.get("service_types", ())),
        host_paths=tuple(given.get("host_paths", ())),
        volume_types=frozenset(given.get("volume_types", ())),
        uses=frozenset((kind, name) for kind, _, name in used),
        rbac=tuple(rbac.Rule.of(each) for each in given.get("rbac", ())),
    )


def _hopeless(document: Document, name: str, given: Mapping[str, Any]) -> list[Fault]:
    """Grants that would give more than one addon's rights."""
    found = []
    for index, kind in enumerate(given.get("kinds", ())):
        group = kind.rpartition("/")[0]
        if kind in NEVER_KINDS or group in NEVER_GROUPS:
            found.append(document.fault((name, "kinds", index), f"{kind} cannot be granted; make it yourself"))
        elif group == rbac.GROUP:
            found.append(document.fault((name, "kinds", index), "roles are granted by their rules; use `rbac`"))
    for index, rule in enumerate(given.get("rbac", ())):
        hopeless = rbac.never(rbac.Rule.of(rule))
        found += [document.fault((name, "rbac", index), f"cannot be granted: {why}") for why in hopeless]
    if "hostPath" in given.get("volume_types", ()):
        found.append(document.fault((name, "volume_types"), "hostPath is granted by its folders; use `host_paths`"))
    return found
