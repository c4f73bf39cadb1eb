"""Roles: rights in the namespace that an operator has granted, and never those that lead to all others. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from helmbroker.broker.gate.ownership import Own
from helmbroker.broker.gate.violation import Breach, mapping, mappings, texts

GROUP = "rbac.authorization.k8s.io"
_NEVER_VERBS = frozenset({"*", "escalate", "bind", "impersonate"})
# who may use these is, or can become, whoever else runs in the namespace
_NEVER_RESOURCES = frozenset(
    {
        "*",
        *(f"pods/{each}" for each in ("exec", "attach", "portforward", "proxy", "ephemeralcontainers")),
        "services/proxy",
        "serviceaccounts/token",
    }
)
_NEVER_GROUPS = frozenset({"*", GROUP})
# who can make pods can mount every Secret, past this gate
_RUN_PODS = frozenset(
    {
        "pods",
        "podtemplates",
        "replicationcontrollers",
        "replicasets",
        "deployments",
        "statefulsets",
        "daemonsets",
        "jobs",
        "cronjobs",
    }
)
_MAKING = frozenset({"create", "update", "patch"})


@dataclass(frozen=True)
class Rule:
    """Rights as a Role has them: every verb on every resource of every group. names: of these objects alone."""

    groups: frozenset[str]
    resources: frozenset[str]
    verbs: frozenset[str]
    names: frozenset[str] = frozenset()

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Rule:
        """From the map that a Role's `rules` and the file of grants have."""
        keys = ("apiGroups", "resources", "verbs", "resourceNames")
        return cls(*(frozenset(texts(given.get(key))) for key in keys))

    def covers(self, other: Rule) -> bool:
        """Whether it gives all of the other's rights."""
        wide = self.groups >= other.groups and self.resources >= other.resources and self.verbs >= other.verbs
        return wide and (not self.names or (bool(other.names) and self.names >= other.names))


def never(rule: Rule, own: Own | None = None) -> Iterator[str]:
    """What no operator can grant, as 'why' sentences. own: what may be read of Secrets; None: nothing is known."""
    for verb in sorted(rule.verbs & _NEVER_VERBS):
        yield f"the verb {verb} leads to all other rights"
    for resource in sorted(rule.resources):
        if resource in _NEVER_RESOURCES or resource.endswith("/*"):
            yield f"the resource {resource} leads to what others run"
    for group in sorted(rule.groups & _NEVER_GROUPS):
        yield f"the API group {group} leads to all other rights"
    made = rule.verbs & (_MAKING if rule.resources & (_RUN_PODS - {"pods"}) else {"create"})
    if made and rule.resources & _RUN_PODS:
        yield "who makes pods can read every Secret of the namespace"
    if own is not None and "secrets" in rule.resources and not (rule.names and _all_own(rule.names, own)):
        yield "Secrets need resourceNames, and those of the instance itself"


def _all_own(names: frozenset[str], own: Own) -> bool:
    return all(own.has("Secret", name) for name in names)


def of_role(role: Mapping[str, Any], granted: Sequence[Rule], own: Own) -> Iterator[Breach]:
    """What a Role gives that it must not, or that is not granted."""
    for field, given in mappings(role.get("rules"), "rules"):
        rule = Rule.of(given)
        if given.get("nonResourceURLs"):
            yield Breach(f"{field}.nonResourceURLs", "addresses of the API server are not allowed")
        hopeless = list(never(rule, own))
        yield from (Breach(field, each) for each in hopeless)
        if not hopeless and not any(each.covers(rule) for each in granted):
            yield Breach(field, "these rights are not granted", f"rbac: [{_shown(rule)}]")


def of_binding(binding: Mapping[str, Any], own: Own, namespace: str) -> Iterator[Breach]:
    """A RoleBinding gives a Role of the same manifest to service accounts of the instance."""
    role = mapping(binding.get("roleRef"))
    if role.get("kind") != "Role" or ("Role", str(role.get("name"))) not in own.made:
        yield Breach("roleRef", f"{role.get('kind')} {role.get('name')} is not a Role that the chart makes")
    for field, subject in mappings(binding.get("subjects"), "subjects"):
        if subject.get("kind") != "ServiceAccount":
            yield Breach(f"{field}.kind", f"rights are for service accounts, not for a {subject.get('kind')}")
        elif subject.get("namespace", namespace) != namespace:
            yield Breach(f"{field}.namespace", f"leaves the namespace {namespace}")
        elif subject.get("name") == "default":
            yield Breach(f"{field}.name", "the service account default is everybody's; make one")
        else:
            yield from own.foreign([(f"{field}.name", "ServiceAccount", subject.get("name"))])


def _shown(rule: Rule) -> str:
    """As the file of grants has it."""
    names = ("apiGroups", "resources", "verbs", "resourceNames")
    parts = zip(names, (rule.groups, rule.resources, rule.verbs, rule.names), strict=True)
    return "{" + ", ".join(f"{key}: [{_listed(part)}]" for key, part in parts if part) + "}"


def _listed(words: frozenset[str]) -> str:
    return ", ".join(word or '""' for word in sorted(words))
