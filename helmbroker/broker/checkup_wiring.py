"""What `helmbroker doctor` looks at beside records and cluster: the database's rows, helm, and the cluster."""

from __future__ import annotations

import tarfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from helmbroker.broker import catalog_wiring, wiring
from helmbroker.broker.domain.helm_errors import HelmError
from helmbroker.broker.domain.overview import Wanted
from helmbroker.broker.rights import rights
from helmbroker.broker.service import checkup
from helmbroker.broker.service.checkup import Area, Symptom
from helmbroker.broker.service.inventory import inventory
from helmbroker.broker.service.offered import Offered
from helmbroker.broker.settings import Settings
from helmbroker.broker.store.store import SqlStore
from helmbroker.catalog.made import made
from helmbroker.durable import State
from helmbroker.kubeapi.errors import KubeError
from helmbroker.kubeapi.port import Obj
from helmbroker.kubeapi.rights import Right, Scope, ordered

_MOST = 10_000
_OPEN = (State.QUEUED, State.RUNNING)


def symptoms(settings: Settings, store: SqlStore) -> list[Symptom]:
    """All that is wrong. Raises Unavailable, CannotStart."""
    with store.overview() as overview:
        numbers, going_on = overview.numbers(), overview.operations(Wanted(_OPEN, limit=_MOST))
    found = checkup.look(numbers, going_on, store.provenance())
    return [*found, *_helm(settings), *_cluster(settings, needed(settings, store), places(settings, store))]


def lacking(wanted: Iterable[Right], rules: Sequence[Mapping[str, Any]]) -> list[str]:
    """Of these rights, what the rules of a SelfSubjectRulesReview do not allow."""
    found: dict[str, set[str]] = {}
    for each in wanted:
        resource = f"{each.resource}.{each.group}" if each.group else each.resource
        missing = {verb for verb in each.verbs if not any(_allows(rule, each, verb) for rule in rules)}
        if missing:
            found.setdefault(resource, set()).update(missing)
    return [f"{', '.join(ordered(verbs))} {resource}" for resource, verbs in sorted(found.items())]


def _allows(rule: Mapping[str, Any], wanted: Right, verb: str) -> bool:
    named = frozenset(rule.get("resourceNames") or ())
    parts = {"apiGroups": wanted.group, "resources": wanted.resource, "verbs": verb}
    whole = all({"*", each} & set(rule.get(part) or ()) for part, each in parts.items())
    return whole and (not named or (bool(wanted.names) and wanted.names <= named))


def places(settings: Settings, store: SqlStore) -> list[str]:
    """Namespaces of instances: where new ones go, and where older ones are, and those that were migrated."""
    with store.read() as records:
        return sorted({settings.instance_namespace, *(line["namespace"] for line in inventory(records))})


def needed(settings: Settings, store: SqlStore) -> list[Right]:
    """In each of these namespaces, for the addons that are offered and the accounts of tenants."""
    offered = Offered(store, catalog_wiring.make_revisions(settings, store))
    offered.look()
    try:
        charts = {addon.name: made(addon) for addon in offered.whole.addons}
    except tarfile.TarError:  # of an addon's chart: `helmbroker addon lint` tells that
        charts = {}
    accounts = {each.account for each in wiring.read_tenants(settings)}
    every = rights(charts, wiring.read_grants(settings), accounts=accounts)
    return [each for each in every if each.scope is Scope.NAMESPACED]


def _helm(settings: Settings) -> Iterator[Symptom]:
    try:
        reason = wiring.make_helm(settings, settings.data_dir / "helm").unusable()
    except HelmError as error:
        reason = error.detail
    if reason is not None:
        yield Symptom(Area.HELM, settings.helm, reason)


def _cluster(settings: Settings, wanted: Sequence[Right], namespaces: Iterable[str]) -> Iterator[Symptom]:
    from helmbroker.kubeapi.client import KubeClient  # noqa: PLC0415  # heavy

    try:
        yield from unallowed(KubeClient.from_environment(settings.kubeconfig).review, wanted, namespaces)
    except KubeError as error:
        yield Symptom(Area.CLUSTER, "cluster", " ".join(str(error).split()))


def unallowed(
    review: Callable[[Obj], Obj], wanted: Sequence[Right], namespaces: Iterable[str]
) -> Iterator[Symptom]:
    """What the broker may not do in each namespace. review: `Kube.review`. Raises KubeError."""
    asked = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview"}
    for namespace in namespaces:
        answer = review({**asked, "spec": {"namespace": namespace}})
        missing = lacking(wanted, answer.get("status", {}).get("resourceRules") or ())
        if missing:
            detail = f"the broker may not: {'; '.join(missing)}. `helmbroker rights` prints what it needs"
            yield Symptom(Area.CLUSTER, f"rights in namespace {namespace}", detail)
