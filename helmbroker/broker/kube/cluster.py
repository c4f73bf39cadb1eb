"""The port Cluster over the Kubernetes API."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence

from helmbroker.broker.domain.cluster import HelmRelease, NotReady, Readiness, RecordSecret
from helmbroker.broker.domain.helm_errors import ClusterRefused
from helmbroker.broker.domain.kept import MadeSecret
from helmbroker.broker.domain.naming import ReleaseRef
from helmbroker.broker.kube import release_secret
from helmbroker.broker.kube.readiness import Observed, claims_of, job_failure, judge, satisfied
from helmbroker.broker.kube.records import KubeRecords
from helmbroker.broker.kube.rehearsal import Rehearsal
from helmbroker.broker.kube.surroundings import Surroundings
from helmbroker.broker.kube.translated import translated
from helmbroker.catalog.credentials import Ref, RefKind
from helmbroker.catalog.model import Object
from helmbroker.kubeapi.errors import AlreadyExists, Conflict, Forbidden
from helmbroker.kubeapi.port import Kube, Obj

_INSTANCE = "app.kubernetes.io/instance"  # by convention of charts: the Helm release
_JOB = "batch.kubernetes.io/job-name"
_RELEASE_NAME = "meta.helm.sh/release-name"  # Helm writes it on all that it makes
_KEEP = "helm.sh/resource-policy"
_CLAIM = "PersistentVolumeClaim"
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

    def release(self, ref: ReleaseRef) -> HelmRelease | None:
        return release_secret.latest(self._secrets(ref), ref)

    def rehearse(self, ref: ReleaseRef, objects: Sequence[Object], *, force: bool = False) -> None:
        secret = self._newest(ref)
        before = [] if secret is None else release_secret.manifest(secret)
        self._rehearsal.run(ref, objects, before, force=force)

    def readiness(self, ref: ReleaseRef) -> Readiness:
        secret = self._newest(ref)
        if secret is None:
            return NotReady("the Helm release is gone. Somebody else removed it", hopeless=True)
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

    def value(self, namespace: str, ref: Ref, owners: frozenset[str]) -> str | None:
        with translated():
            obj = self._kube.get(ref.kind, namespace, ref.name)
        if obj is None:
            return None
        owner = (obj["metadata"].get("annotations") or {}).get(_RELEASE_NAME)
        if owner not in owners:
            # a template must not read what the tenant could not: other Secrets of the namespace
            raise ClusterRefused(
                f"The credentials template refers to {ref.kind} {ref.name}, which its Helm releases did not make. "
                "The addon's author has to mend it."
            )
        text: str | None = (obj.get("data") or {}).get(ref.key)
        if text is None or ref.kind is not RefKind.SECRET:
            return text
        try:
            return base64.b64decode(text).decode()
        except UnicodeDecodeError:
            raise ClusterRefused(
                f"Key {ref.key} of Secret {ref.name} is not text; it cannot be a credential. "
                "The addon's author has to mend it."
            ) from None

    def sweep(self, ref: ReleaseRef, *, claims: bool, meanwhile: Callable[[], None] = lambda: None) -> None:
        kinds = (*_SWEPT, _CLAIM) if claims else _SWEPT
        found = [obj for kind in kinds for obj in self._labelled(kind, ref)]
        meanwhile()
        for obj in found:
            kept = (obj["metadata"].get("annotations") or {}).get(_KEEP) == "keep"
            if claims or not kept:
                self._delete(obj)

    def leftovers(self, ref: ReleaseRef, *, claims: bool) -> list[str]:
        kinds = ("Pod", _CLAIM) if claims else ("Pod",)
        return sorted(f"{kind} {obj['metadata']['name']}" for kind in kinds for obj in self._labelled(kind, ref))

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

    def keep(self, record: RecordSecret) -> None:
        self._records.keep(record)

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
                return self._kube.list(kind, ref.namespace, labels={_INSTANCE: ref.name})
            except Forbidden:
                if kind in ("Job", "Pod", _CLAIM):
                    raise
                return []  # with the broker's rights no object of this kind can have been made

    def _delete(self, obj: Obj) -> None:
        metadata = obj["metadata"]
        with translated():
            try:
                self._kube.delete(obj["kind"], metadata["namespace"], metadata["name"], uid=metadata["uid"])
            except Conflict:
                return  # this very object is gone; what has its name now is another one


def _of_pods(event: Obj, job: str) -> bool:
    return str(event.get("involvedObject", {}).get("name")).startswith(f"{job}-")
