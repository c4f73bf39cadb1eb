"""Rights in a cluster as RBAC has them: verbs on resources, each with its reason, and never a wildcard. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from helmbroker.kubeapi.kinds import Kind, kind_named
from helmbroker.kubeapi.port import Obj

GROUP = "rbac.authorization.k8s.io"
VERBS = ("get", "list", "watch", "create", "update", "patch", "delete")


class Scope(StrEnum):
    """Where a right has to be given."""

    NAMESPACED = "namespaced"  # in each namespace, by a Role
    EVERYWHERE = "everywhere"  # in the whole cluster; who has namespaces only does without
    CLUSTER = "cluster"  # in the whole cluster, always: nothing of it is in a namespace


@dataclass(frozen=True)
class Right:
    """Some verbs on one resource (plural, `/SUBRESOURCE` behind it), and why. names: of these objects alone."""

    group: str
    resource: str
    verbs: frozenset[str]
    why: str
    scope: Scope = Scope.NAMESPACED
    names: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Account:
    """The service account that gets the rights."""

    namespace: str
    name: str


def right(kind: str | Kind, verbs: str, why: str, scope: Scope = Scope.NAMESPACED, *, part: str = "") -> Right:
    """A row of a table. kind: one of helmbroker.kubeapi.kinds by its name, or another; part: a subresource."""
    known = kind_named(kind) if isinstance(kind, str) else kind
    resource = f"{known.plural}/{part}" if part else known.plural
    return Right(known.group, resource, frozenset(verbs.split()), why, scope)


def rules(rights: Iterable[Right]) -> list[Obj]:
    """The rules of a Role: each resource once, those of a group with the same verbs together.

    ValueError for a wildcard (a programming error).
    """
    verbs: dict[tuple[str, str, frozenset[str]], frozenset[str]] = {}
    for each in rights:
        if {"*"} & {each.group, each.resource, *each.verbs, *each.names}:
            raise ValueError(f"{each.resource}: a right has no wildcard")
        key = (each.group, each.resource, each.names)
        verbs[key] = verbs.get(key, frozenset()) | each.verbs
    together: dict[tuple[str, frozenset[str], tuple[str, ...]], list[str]] = {}
    for (group, resource, names), its in sorted(verbs.items(), key=lambda item: (item[0][:2], sorted(item[0][2]))):
        together.setdefault((group, names, ordered(its)), []).append(resource)
    return [
        {"apiGroups": [group], "resources": resources, "verbs": list(its)}
        | ({"resourceNames": sorted(names)} if names else {})
        for (group, names, its), resources in together.items()
    ]


def by_scope(rights: Sequence[Right]) -> dict[str, list[Obj]]:
    """The rules of each scope that has any, as the chart's files have them."""
    found = {str(scope): rules(each for each in rights if each.scope is scope) for scope in Scope}
    return {scope: its for scope, its in found.items() if its}


def objects(
    name: str, rights: Sequence[Right], namespaces: Sequence[str], account: Account, scopes: Collection[Scope]
) -> Iterator[Obj]:
    """Roles called `name` and their bindings in the namespaces, and a ClusterRole with what is of these scopes."""
    of_namespaces = rules(each for each in rights if each.scope is Scope.NAMESPACED)
    for namespace in namespaces if of_namespaces else ():
        yield from _given("Role", {"name": name, "namespace": namespace}, of_namespaces, account)
    of_cluster = rules(each for each in rights if each.scope in scopes)
    if of_cluster:
        yield from _given("ClusterRole", {"name": name}, of_cluster, account)


def ordered(verbs: Iterable[str]) -> tuple[str, ...]:
    """As people write them, rare ones last."""
    return tuple(sorted(verbs, key=lambda verb: (VERBS.index(verb) if verb in VERBS else len(VERBS), verb)))


def _given(kind: str, metadata: dict[str, Any], its: list[Obj], account: Account) -> Iterator[Obj]:
    yield {"apiVersion": f"{GROUP}/v1", "kind": kind, "metadata": metadata, "rules": its}
    yield {
        "apiVersion": f"{GROUP}/v1",
        "kind": f"{kind}Binding",
        "metadata": metadata,
        "roleRef": {"apiGroup": GROUP, "kind": kind, "name": metadata["name"]},
        "subjects": [{"kind": "ServiceAccount", "name": account.name, "namespace": account.namespace}],
    }
