"""The port Cluster over the Kubernetes API."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from helmbroker.broker.domain import naming
from helmbroker.broker.domain.cluster import Capabilities, HelmRelease, NotReady, Readiness, RecordSecret
from helmbroker.broker.domain.kept import MadeSecret
from helmbroker.broker.domain.naming import ReleaseRef
from helmbroker.broker.kube import references, release_secret, volumes
from helmbroker.broker.kube.objects import CLAIM
from helmbroker.broker.kube.readiness import Observed, claims_of, job_failure, judge, satisfied
from helmbroker.broker.kube.records import KubeRecords
from helmbroker.broker.kube.rehearsal import Rehearsal
from helmbroker.broker.kube.served import Served
from helmbroker.broker.kube.surroundings import Surroundings
from helmbroker.broker.kube.translated import translated
from helmbroker.catalog.model import JSON, Object
from helmbroker.catalog.references import Ref
from helmbroker.kubeapi.errors import AlreadyExists, Conflict, Forbidden
from helmbroker.kubeapi.port import Kube, Obj

_INSTANCE = "app.kubernetes.io/instance"  # by convention of charts: the Helm release
_JOB = "batch.kubernetes.io/job-name"
_KEEP = "helm.sh/resource-policy"
# what hooks may make (the policy's kinds); Jobs first, so that they make no more pods
_SWEPT = (
    "Job",
    "CronJob",
    "StatefulSet",
    "Deployment",
    "Service",
    "ConfigMap",
    "Secret",
    "ServiceAccount",
    "NetworkPolicy",
    "PodDisruptionBudget",
    "RoleBinding",
    "Role",
)


class KubeCluster:
    """See broker.domain.ports.Cluster."""

    def __init__(self, kube: Kube, helm: str = "helm") -> None:
        """`helm`: as what our helm manages fields, the name of its file."""
        self._rehearsal = Rehearsal(kube, helm)
        self._records = KubeRecords(kube)
        self._kube = kube
        self._surroundings = Surroundings(kube)
        self._served = Served(kube)

    def release(self, ref: ReleaseRef) -> HelmRelease | None:
        return release_secret.latest(self._secrets(ref), ref)

    def rehearse(
        self, ref: ReleaseRef, objects: Sequence[Object], *, force: bool = False, user: str | None = None
    ) -> None:
        secret = self._newest(ref)
        before = [] if secret is None else release_secret.manifest(secret)
        # Helm would merge, and merging knows no conflicts with those who have set a field before
        merged = secret is not None and release_secret.read(secret, ref).client_side
        self._rehearsal.run(ref, objects, before, force=force or merged, user=user)

    def readiness(self, ref: ReleaseRef) -> Readiness:
        secret = self._newest(ref)
        if secret is None:
            return NotReady("the Helm release is gone. Somebody else removed it", hopeless=True)
        if not release_secret.readable(secret):
            return NotReady("the Helm release cannot be read: its Secret is damaged", hopeless=True)
        observed = []
        for wanted in release_secret.workloads(secret):
            with translated():
                workload = self._kube.get(wanted.kind, ref.namespace, wanted.name)
            if workload is None:
                return NotReady(f"{wanted.kind} {wanted.name} is gone. Somebody else removed it", hopeless=True)
            observed.append(Observed(workload) if satisfied(workload) else self._look_closer(workload))
        return judge(observed)

    def failed_job(self, ref: ReleaseRef) -> str | None:
        secret = self._newest(ref)
        for name in release_secret.hook_jobs(secret) if secret is not None else ():
            with translated():
                job = self._kube.get("Job", ref.namespace, name)
            cause = None if job is None else job_failure(self._look_closer(job))
            if cause is not None:
                return cause
        return None

    def values(self, namespace: str, refs: Sequence[Ref], owners: frozenset[str]) -> dict[Ref, JSON | NotReady]:
        return references.values(self._kube, namespace, refs, owners)

    def capabilities(self) -> Capabilities:
        return self._served.capabilities()

    def sweep(self, ref: ReleaseRef, *, claims: bool, meanwhile: Callable[[], None] = lambda: None) -> None:
        kinds = (*_SWEPT, CLAIM) if claims else _SWEPT
        found = [obj for kind in kinds for obj in self._labelled(kind, ref)]
        meanwhile()
        for obj in found:
            kept = (obj["metadata"].get("annotations") or {}).get(_KEEP) == "keep"
            if claims or not kept:
                self._delete(obj)

    def drop_unreadable(self, ref: ReleaseRef, meanwhile: Callable[[], None]) -> None:
        found = [secret for secret in self._secrets(ref) if not release_secret.readable(secret)]
        if found:
            meanwhile()
        for secret in found:
            self._delete(secret)

    def leftovers(self, ref: ReleaseRef, *, claims: bool) -> list[str]:
        kinds = ("Pod", CLAIM) if claims else ("Pod",)
        return sorted(f"{kind} {obj['metadata']['name']}" for kind in kinds for obj in self._labelled(kind, ref))

    def grown(self, ref: ReleaseRef, revision: int) -> dict[str, str]:
        secret = release_secret.numbered(self._secrets(ref), revision)
        return {} if secret is None else volumes.grown(self._kube, ref.namespace, secret)

    def keep_grown(self, ref: ReleaseRef, revision: int, meanwhile: Callable[[], None]) -> None:
        secret = release_secret.numbered(self._secrets(ref), revision)
        if secret is not None:
            volumes.keep_grown(self._kube, ref, secret, meanwhile)

    def ensure_namespace(self, name: str) -> None:
        with translated():
            try:
                if self._kube.get("Namespace", None, name) is None:
                    self._kube.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
            except AlreadyExists:
                return
            except Forbidden:
                # a broker with rights in one namespace may not look at namespaces; Helm says if it is missing
                return

    def record(self, ref: ReleaseRef) -> RecordSecret | None:
        return self._records.record(ref)

    def keep(self, record: RecordSecret, *, instead_of: RecordSecret | None = None) -> None:
        self._records.keep(record, instead_of=instead_of)

    def forget(self, namespace: str, labels: Mapping[str, str]) -> None:
        self._records.forget(namespace, labels)

    def records(self, namespace: str, labels: Mapping[str, str]) -> list[RecordSecret]:
        return self._records.records(namespace, labels)

    def made_secrets(self, ref: ReleaseRef) -> list[MadeSecret]:
        secret = self._newest(ref)
        return [] if secret is None else self._records.made(ref, release_secret.secrets(secret))

    def put_back(self, ref: ReleaseRef, secrets: Sequence[MadeSecret]) -> None:
        self._records.put_back(ref, secrets)

    def _newest(self, ref: ReleaseRef) -> Obj | None:
        return release_secret.newest(self._secrets(ref))

    def _secrets(self, ref: ReleaseRef) -> list[Obj]:
        with translated():
            return self._kube.list("Secret", ref.namespace, labels=release_secret.selector(ref))

    def _look_closer(self, workload: Obj) -> Observed:
        """Pods, claims and events of a workload: asked for only when it is not ready."""
        namespace, name = workload["metadata"]["namespace"], workload["metadata"]["name"]
        by_name = {_JOB: name}
        labels = workload["spec"].get("selector", {}).get("matchLabels")
        with translated():
            found = self._kube.list("Pod", namespace, labels=by_name if workload["kind"] == "Job" else labels)
            about = {name, *(pod["metadata"]["name"] for pod in found), *claims_of(found)}
            events = [
                event
                for each in sorted(about)
                for event in self._kube.list("Event", namespace, fields={"involvedObject.name": each})
            ]
            if workload["kind"] == "Job" and not found:  # its time was over, so they were removed
                fields = {"involvedObject.kind": "Pod"}
                events += [e for e in self._kube.list("Event", namespace, fields=fields) if _of_pods(e, name)]
            elif workload["kind"] == "Deployment":  # the quota forbids pods to its ReplicaSet, not to itself
                events += [
                    event
                    for owned in self._kube.list("ReplicaSet", namespace, labels=labels)
                    for event in self._kube.list(
                        "Event", namespace, fields={"involvedObject.name": owned["metadata"]["name"]}
                    )
                ]
            around = self._surroundings.of(namespace, found)
        return Observed(workload, found, events, around)

    def _labelled(self, kind: str, ref: ReleaseRef) -> list[Obj]:
        with translated():
            try:
                found = self._kube.list(kind, ref.namespace, labels={_INSTANCE: ref.name})
            except Forbidden:
                if kind in ("Job", "Pod", CLAIM):
                    raise
                return []  # with the broker's rights no object of this kind can have been made
        if naming.is_ours(ref.name):
            return found
        # the name of a predecessor's release is no hash, so others may have chosen that label, too
        return [obj for obj in found if naming.fullname(ref.name) in obj["metadata"]["name"]]

    def _delete(self, obj: Obj) -> None:
        metadata = obj["metadata"]
        with translated():
            try:
                self._kube.delete(obj["kind"], metadata["namespace"], metadata["name"], uid=metadata["uid"])
            except Conflict:
                return  # this very object is gone; what has its name now is another one


def _of_pods(event: Obj, job: str) -> bool:
    return str(event.get("involvedObject", {}).get("name")).startswith(f"{job}-")
