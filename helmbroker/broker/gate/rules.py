"""The rules of objects: kinds and API groups from a list, nothing outside the namespace, nothing of others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from helmbroker.broker.gate import pods, rbac
from helmbroker.broker.gate.grants import NEVER_GROUPS, NEVER_KINDS, NO_GRANTS, Grants
from helmbroker.broker.gate.ownership import CLAIM, Own, claim_sources
from helmbroker.broker.gate.violation import Breach, Violation, dig, mapping, mappings
from helmbroker.catalog.model import Object, PodSecurity

# kind -> its API group: a kind of the same name in another group (Volcano's Job, Knative's Service) is not it
ALLOWED = {
    "ConfigMap": "",
    "CronJob": "batch",
    "Deployment": "apps",
    "Job": "batch",
    "NetworkPolicy": "networking.k8s.io",
    "PersistentVolumeClaim": "",
    "PodDisruptionBudget": "policy",
    "Role": rbac.GROUP,  # its rules have to be granted
    "RoleBinding": rbac.GROUP,
    "Secret": "",
    "Service": "",
    "ServiceAccount": "",
    "StatefulSet": "apps",
}
_SECRET_TYPES = frozenset({"Opaque", *(f"kubernetes.io/{kind}" for kind in ("tls", "basic-auth", "ssh-auth"))})
_HOOK = "helm.sh/hook"
# annotations by which clouds give a service account rights over themselves
_CLOUD = ("eks.amazonaws.com/", "iam.gke.io/", "azure.workload.identity/", "iam.amazonaws.com/")
_MONITORING = "monitoring.coreos.com"


@dataclass(frozen=True)
class Scope:
    """For whom a manifest is checked. release: the Helm release of the instance, also when it is that of a binding.

    level: what the plan wants its pods to keep to.
    """

    namespace: str
    release: str
    level: PodSecurity = PodSecurity.RESTRICTED
    grants: Grants = NO_GRANTS


def violations(found: Sequence[Object], scope: Scope) -> list[Violation]:
    """Every rule that the objects break."""
    made = frozenset((str(obj.get("kind")), str(dig(obj, "metadata", "name"))) for obj in found)
    own = Own(made, scope.release, scope.grants.uses)
    told = []
    for obj in found:
        name = f"{obj.get('kind')} {dig(obj, 'metadata', 'name')}"
        told += [Violation(name, each.field, each.rule, each.grant) for each in _breaches(obj, scope, own)]
    return told


def _breaches(obj: Object, scope: Scope, own: Own) -> Iterator[Breach]:
    kind, api_version = obj.get("kind"), str(obj.get("apiVersion"))
    group = api_version.rpartition("/")[0]
    refused = _refused(kind, group, api_version, scope.grants)
    if refused is not None or not isinstance(kind, str):
        yield refused or Breach("kind", "must be a text")
        return
    if dig(obj, "metadata", "namespace") not in (None, scope.namespace):
        yield Breach("metadata.namespace", f"leaves the namespace {scope.namespace}")
    yield from own.foreign_label(obj, "")
    if _HOOK in mapping(dig(obj, "metadata", "annotations")) and not own.named(dig(obj, "metadata", "name")):
        # Helm deletes what has a hook's name, whoever made it
        yield Breach("metadata.name", "hooks must be named after the Helm release")
    if kind in _RULES and ALLOWED[kind] == group:
        yield from _RULES[kind](obj, scope, own)
    elif group == _MONITORING:
        yield from _monitoring(obj, "", own, scope.namespace)
    for template, field in _pod_templates(obj):
        level = scope.grants.level(scope.level)
        yield from pods.breaches(template, field, own, scope.grants, level)


def _refused(kind: object, group: str, api_version: str, grants: Grants) -> Breach | None:
    """Why objects of this kind may not be made."""
    named = f"{group}/{kind}" if group else str(kind)
    if isinstance(kind, str) and (ALLOWED.get(kind) == group or named in grants.kinds):
        return None
    hopeless = named in NEVER_KINDS or group in NEVER_GROUPS or group == rbac.GROUP or not isinstance(kind, str)
    return Breach("kind", f"{kind} of {api_version} is not allowed", "" if hopeless else f"kinds: [{named}]")


def _pod_templates(obj: Object) -> Iterator[tuple[Any, str]]:
    """What an object makes pods from, with its path."""
    if obj.get("kind") == "Pod":
        yield obj, ""
    elif obj.get("kind") == "PodTemplate":
        yield obj.get("template"), "template"
    else:
        for path in (("spec", "template"), ("spec", "jobTemplate", "spec", "template")):
            if (template := dig(obj, *path)) is not None:
                yield template, ".".join(path)


def _of_secret(obj: Object, _scope: Scope, _own: Own) -> Iterator[Breach]:
    if str(obj.get("type") or "Opaque") not in _SECRET_TYPES:
        yield Breach("type", f"Secrets of type {obj.get('type')} are not allowed")


def _of_service(obj: Object, scope: Scope, own: Own) -> Iterator[Breach]:
    spec = mapping(obj.get("spec"))
    kind = str(spec.get("type") or "ClusterIP")
    if kind != "ClusterIP" and kind not in scope.grants.service_types:
        # they open ports of hosts, or lead out of the cluster
        yield Breach("spec.type", f"Services of type {kind} are not allowed", f"service_types: [{kind}]")
    if spec.get("externalIPs"):
        yield Breach("spec.externalIPs", "addresses of others are not allowed")
    if spec.get("selector") and not own.selects(spec["selector"]):
        yield Breach("spec.selector", "must name the Helm release; it may lead to pods of others")


def _of_policy(obj: Object, _scope: Scope, own: Own) -> Iterator[Breach]:
    """Of a NetworkPolicy, or of a PodDisruptionBudget."""
    name = "podSelector" if obj.get("kind") == "NetworkPolicy" else "selector"
    if not own.selects(dig(obj, "spec", name, "matchLabels")):
        yield Breach(f"spec.{name}.matchLabels", "must name the Helm release; it may be about pods of others")


def _of_account(obj: Object, _scope: Scope, own: Own) -> Iterator[Breach]:
    for key in ("secrets", "imagePullSecrets"):
        for field, secret in mappings(obj.get(key), key):
            yield from own.foreign([(f"{field}.name", "Secret", secret.get("name"))])
    for key in mapping(dig(obj, "metadata", "annotations")):
        if str(key).startswith(_CLOUD):
            rule = "rights in the cloud are not allowed; make the service account yourself"
            yield Breach(f"metadata.annotations[{key}]", rule, "uses: [ServiceAccount/NAME]")


def _of_claim(obj: Object, _scope: Scope, own: Own) -> Iterator[Breach]:
    yield from claim_sources(obj.get("spec"), "spec", own)


def _of_stateful_set(obj: Object, _scope: Scope, own: Own) -> Iterator[Breach]:
    for field, claim in mappings(dig(obj, "spec", "volumeClaimTemplates"), "spec.volumeClaimTemplates"):
        yield from own.foreign_label(claim, field)
        yield from claim_sources(claim.get("spec"), f"{field}.spec", own)


def _of_role(obj: Object, scope: Scope, own: Own) -> Iterator[Breach]:
    yield from rbac.of_role(obj, scope.grants.rbac, own)


def _of_role_binding(obj: Object, scope: Scope, own: Own) -> Iterator[Breach]:
    yield from rbac.of_binding(obj, own, scope.namespace)


def _monitoring(value: object, field: str, own: Own, namespace: str) -> Iterator[Breach]:
    """What Prometheus would read for whoever asks: Secrets by name and key, and targets in other namespaces."""
    for key, inner in mapping(value).items():
        at = f"{field}.{key}" if field else str(key)
        if key == "namespaceSelector":
            if inner not in (None, {}, {"matchNames": [namespace]}):
                yield Breach(at, f"leaves the namespace {namespace}")
        elif isinstance(inner, dict) and {"name", "key"} <= set(inner):
            kind = "ConfigMap" if key == "configMap" else "Secret"
            yield from own.foreign([(f"{at}.name", kind, inner["name"])])
        else:
            yield from _monitoring(inner, at, own, namespace)
    for at, item in mappings(value, field):
        yield from _monitoring(item, at, own, namespace)


_RULES: Mapping[str, Callable[[Object, Scope, Own], Iterator[Breach]]] = {
    "Secret": _of_secret,
    "Service": _of_service,
    "NetworkPolicy": _of_policy,
    "PodDisruptionBudget": _of_policy,
    "ServiceAccount": _of_account,
    CLAIM: _of_claim,
    "StatefulSet": _of_stateful_set,
    "Role": _of_role,
    "RoleBinding": _of_role_binding,
}
