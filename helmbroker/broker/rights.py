"""What the broker's worker does in the cluster, as rights: its own calls, and Helm's with what charts make. Pure.

The API does nothing there. Secrets have names that nobody knows before, and RBAC cannot limit `list` and `create`
to names: who may make instances in a namespace may read its Secrets. So instances have a namespace of their own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from helmbroker.broker.gate import ALLOWED, NO_GRANTS, Grants, Rule
from helmbroker.catalog.made import Made, MadeKind
from helmbroker.kubeapi.kinds import KINDS, Kind
from helmbroker.kubeapi.rights import Right, Scope, right

KIND = re.compile(r"([a-z0-9][a-z0-9.-]*/)?[A-Z][A-Za-z0-9]*")  # GROUP/KIND, or KIND of the group without a name
ROLE = "helmbroker-worker"
TENANT_ROLE = "helmbroker-tenant"
_STORAGE = right(
    "Secret", "get list create update delete", "Helm keeps each revision of a Helm release in a Secret"
)
_ALWAYS = (
    _STORAGE,
    right("Secret", "get list create update delete", "the cluster remembers records of the database in Secrets"),
    right("Secret", "patch", "a volume that has grown stays so in the Secret of the Helm release that comes back"),
    right("Pod", "list", "why a workload is not ready, and whether pods are left of what is removed"),
    right("Event", "list", "why a workload is not ready, or a Job failed"),
    right("Job", "get", "why the Job of a hook failed"),
    right("PersistentVolumeClaim", "get", "what pods wait for, and how large a volume has grown"),
    right("ResourceQuota", "list", "what quotas have left for the pods of an instance, before it is made"),
    right("Namespace", "get", "whether the namespace of the instances is there"),
    right("Node", "list", "how much room nodes have for a pod that cannot be scheduled", Scope.EVERYWHERE),
    right("Node", "get", "whether the node of a pod that does not start is ready", Scope.EVERYWHERE),
    right("Pod", "list", "what pods of others take of that room", Scope.EVERYWHERE),
    *(right(kind, "list", "what hooks have left behind is looked for, by its label") for kind in ALLOWED),
)


def rights(
    made: Mapping[str, Made], grants: Mapping[str, Grants], more: Iterable[str] = (), accounts: Iterable[str] = ()
) -> list[Right]:
    """Everything that the worker needs for addons of these names. more: kinds that are granted to nobody yet.

    Both are written as in the file of grants. accounts: of tenants.
    """
    found = [*_ALWAYS, *_of_charts(made, grants, more)]
    if names := frozenset(accounts):
        why = "charts are applied in the name of a tenant's account"
        found.append(replace(right("ServiceAccount", "impersonate", why), names=names))
    return found


def tenant_rights(made: Mapping[str, Made], grants: Mapping[str, Grants], more: Iterable[str] = ()) -> list[Right]:
    """What a tenant's account needs to have all of these addons applied in its name."""
    return [_STORAGE, *_of_charts(made, grants, more)]


def _of_charts(made: Mapping[str, Made], grants: Mapping[str, Grants], more: Iterable[str]) -> Iterator[Right]:
    for name, its in made.items():
        granted = grants.get(name, NO_GRANTS)
        allowed = {MadeKind(kind, group, hook=True) for kind, group in ALLOWED.items()}
        allowed |= {_named(each) for each in granted.kinds if KIND.fullmatch(each)}  # nothing is called otherwise
        for kind in allowed if its.unclear else _both(its.kinds, allowed):
            yield from _of_kind(kind)
        for kind in allowed:
            if (kind.group, kind.name) in its.looked_up:
                yield right(_served(kind), "get", "looked up by templates")
        for rule in granted.rbac:
            yield from _granted(rule)
    for each in more:
        yield from _of_kind(_named(each))


def _of_kind(kind: MadeKind) -> Iterator[Right]:
    """What Helm and the broker do with objects that charts make."""
    where = _served(kind)
    yield right(where, "get create patch delete", "made by charts: Helm looks at it, applies and removes it")
    if kind.name in KINDS:
        yield right(where, "list", "made by charts: what is there is compared with what should be")
    if kind.hook:
        yield right(where, "list watch", "a hook of charts: Helm waits until it is done")
    if (kind.group, kind.name) == ("apps", "Deployment"):
        yield right("ReplicaSet", "list", "a quota refuses the pods of a Deployment to its ReplicaSet")


def _both(kinds: Iterable[MadeKind], allowed: Iterable[MadeKind]) -> set[MadeKind]:
    """Kinds that charts make and the gate lets through."""
    return {
        MadeKind(each.name, each.group, made.hook)
        for each in allowed
        for made in kinds
        if made.name == each.name and made.group in (None, each.group)
    }


def _granted(rule: Rule) -> Iterator[Right]:
    why = "granted to an addon's Roles: Kubernetes lets nobody give away a right that he has not"
    for group in rule.groups:
        for resource in rule.resources:
            yield Right(group, resource, rule.verbs, why, names=rule.names)


def _named(kind: str) -> MadeKind:
    group, _, name = kind.rpartition("/")
    return MadeKind(name, group, hook=True)


def _served(kind: MadeKind) -> Kind:
    """Where it is served; of a kind that is not in our table as Kubernetes guesses it from the name."""
    known, group = KINDS.get(kind.name), kind.group or ""
    if known is not None and known.group == group:
        return known
    plural = kind.name.lower()
    plural = (
        f"{plural[:-1]}ies" if plural.endswith("y") else f"{plural}es" if plural.endswith("s") else f"{plural}s"
    )
    return Kind(kind.name, f"{group}/v1" if group else "v1", plural)
