"""What `helmbroker doctor` looks at beside records and cluster: the database's rows, helm, and the cluster."""

from __future__ import annotations

from collections.abc import Iterator

from helmbroker.broker import wiring
from helmbroker.broker.domain.helm_errors import HelmError
from helmbroker.broker.domain.overview import Wanted
from helmbroker.broker.service import checkup
from helmbroker.broker.service.checkup import Area, Symptom
from helmbroker.broker.settings import Settings
from helmbroker.broker.store.store import SqlStore
from helmbroker.durable import State
from helmbroker.kubeapi.errors import KubeError

_MOST = 10_000
_OPEN = (State.QUEUED, State.RUNNING)


def symptoms(settings: Settings, store: SqlStore) -> list[Symptom]:
    """All that is wrong. Raises Unavailable."""
    with store.overview() as overview:
        numbers, going_on = overview.numbers(), overview.operations(Wanted(_OPEN, limit=_MOST))
    found = checkup.look(numbers, going_on, store.provenance())
    return [*found, *_helm(settings), *_cluster(settings)]


def _helm(settings: Settings) -> Iterator[Symptom]:
    try:
        reason = wiring.make_helm(settings, settings.data_dir / "helm").unusable()
    except HelmError as error:
        reason = error.detail
    if reason is not None:
        yield Symptom(Area.HELM, settings.helm, reason)


def _cluster(settings: Settings) -> Iterator[Symptom]:
    from helmbroker.kubeapi.client import KubeClient  # noqa: PLC0415  # heavy

    namespace = settings.instance_namespace
    asked = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview"}
    try:
        kube = KubeClient.from_environment(settings.kubeconfig)
        answer = kube.review({**asked, "spec": {"namespace": namespace}})
    except KubeError as error:
        yield Symptom(Area.CLUSTER, "cluster", " ".join(str(error).split()))
        return
    lacking = checkup.lacking(answer.get("status", {}).get("resourceRules") or ())
    if lacking:
        detail = f"the broker may not: {'; '.join(lacking)}. Give its service account these rights"
        yield Symptom(Area.CLUSTER, f"rights in namespace {namespace}", detail)
