"""One app in its namespace: its workloads, what runs of them, and the Secrets that hold its environments."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime

from helmbroker.controller_bridge.apps.ledger import Entry, Ledger, foreign
from helmbroker.controller_bridge.apps.names import (
    ENV_TYPE,
    MANAGED_BY,
    MANAGER,
    PROCESS_TYPE,
    RELEASE,
    is_namespace,
    is_ours,
    number_in,
)
from helmbroker.controller_bridge.apps.port import (
    AppNotFound,
    AppReleaseError,
    AppsUnavailable,
    CannotRelease,
    ReleaseState,
)
from helmbroker.controller_bridge.apps.rollout import Seen, goes_on, in_the_way
from helmbroker.controller_bridge.apps.template import Wanted, release_patch, secrets_used
from helmbroker.controller_bridge.apps.workloads import (
    CRON_JOB,
    KINDS,
    Processes,
    pod_template,
    process_type,
    told,
)
from helmbroker.kubeapi.errors import AlreadyExists, Conflict, KubeError, NotFound, Unauthorized, Unreachable
from helmbroker.kubeapi.port import Kube, Obj

_PATCH_ATTEMPTS = 10
_ENDED = frozenset({"Succeeded", "Failed"})


@contextmanager
def translated() -> Iterator[None]:
    """The port's errors for those of the cluster."""
    try:
        yield
    except (Unreachable, Unauthorized, Conflict) as error:
        raise AppsUnavailable(str(error)) from error
    except KubeError as error:
        raise AppReleaseError(str(error)) from error


class AppCluster:
    """What the ledger's releases do to, and ask of, a namespace."""

    def __init__(self, kube: Kube) -> None:
        self._kube = kube

    def processes(self, app: str) -> dict[str, Obj]:
        """The app's workloads, by process type. Raises AppNotFound, and CannotRelease when two claim one type."""
        if not is_namespace(app):
            raise AppNotFound(f"{app!r} cannot be an app: an app is a Kubernetes namespace")
        found: dict[str, Obj] = {}
        workloads = [each for kind in KINDS for each in self._kube.list(kind, app, labels=PROCESS_TYPE)]
        for workload in sorted(workloads, key=lambda each: str(each["metadata"]["name"])):
            kind = process_type(workload)
            if not kind or kind in found:
                raise CannotRelease(_unclear(app, kind, workload, found))
            found[kind] = workload
        if not found:
            raise AppNotFound(
                f"there is no app {app}: namespace {app} has no workload with the label {PROCESS_TYPE}. "
                f"Hand one over: kubectl -n {app} label deployment NAME {PROCESS_TYPE}=web"
            )
        return dict(sorted(found.items()))

    def unknown_release(self, app: str, processes: Processes, newest: int) -> str:
        """The sentence about a workload that says it has a release the ledger does not know; or empty.

        A lost ledger, or a workload copied from elsewhere: going on would lose its config, or never reach it.
        processes: read before the ledger, whose newest release is `newest` (0: it is empty).
        """
        for workload in processes.values():
            number, name = number_in(workload["metadata"]), workload["metadata"]["name"]
            if number is not None and number > newest:
                return (
                    f"{told(workload)} says it has release v{number}, but the ledger (Secrets "
                    f"app-release-v*) ends at v{newest}: restore the ledger, or begin anew with "
                    f"kubectl -n {app} annotate {workload['kind'].lower()} {name} {RELEASE}-"
                )
        return ""

    def apply(self, app: str, entry: Entry, processes: Processes) -> bool:
        """Give every workload the release: its environment, and the images that it brings back.

        False when all of them had it already, or a newer one.
        """
        changed, there = False, set[str]()
        for kind, workload in processes.items():
            secret, stamp = entry.secret_of(kind), entry.stamp_of(kind)
            if secret is not None and secret not in there:
                self._ensure_env(app, secret, f"{stamp}", entry.environment_of(kind))
                there.add(secret)
            changed |= self._give(app, workload, Wanted(entry.number, stamp, secret, entry.restored.get(kind)))
        return changed

    def look(self, app: str, processes: Processes, now: datetime) -> Seen:
        """What the namespace shows, read after `processes`."""
        sets = self._kube.list("ReplicaSet", app)
        jobs = self._kube.list("Job", app) if any(each["kind"] == CRON_JOB for each in processes.values()) else []
        return Seen(processes, sets, self._kube.list("Pod", app), now, jobs=jobs)

    def clear_the_way(self, app: str, seen: Seen, *, going_back: bool) -> None:
        """Delete pods of releases before that a StatefulSet waits for, although they will never be ready.

        It replaces one after the other, and nothing as long as another one is not ready; not even on the way back
        (Kubernetes' documentation of StatefulSets: "Forced rollback").
        """
        for pod in in_the_way(seen, going_back=going_back):
            self._kube.delete("Pod", app, pod["metadata"]["name"], uid=pod["metadata"]["uid"])

    def warnings(self, app: str) -> list[Obj]:
        """The cluster's complaints: they explain; rollouts that are healthy need none."""
        return self._kube.list("Event", app, fields={"type": "Warning"})

    def sweep(self, app: str, ledger: Ledger) -> None:
        """Delete env Secrets that nothing needs any more.

        Kept: those of the latest release and of releases under way, and what a workload, a ReplicaSet with
        replicas, a Job that goes on or a live Pod refers to.
        """
        latest = ledger.latest
        if latest is None:
            return
        pending = (entry for entry in ledger.entries if entry.state is ReleaseState.PENDING)
        kept = {name for entry in (latest, *pending) for name in entry.secrets}
        # Read before what uses them: an env Secret made after this is not even looked at.
        secrets = self._kube.list("Secret", app, labels={MANAGED_BY: MANAGER}, fields={"type": ENV_TYPE})
        kept |= self._used(app)
        for secret in secrets:
            name, uid = secret["metadata"]["name"], secret["metadata"]["uid"]
            if name in kept or not is_ours(secret, ENV_TYPE) or _stamp(secret) > latest.number:
                continue
            try:
                self._kube.delete("Secret", app, name, uid=uid)
            except Conflict:
                continue  # deleted and made anew in between: somebody needs it

    def _used(self, app: str) -> set[str]:
        workloads = [each for kind in KINDS for each in self._kube.list(kind, app)]
        specs = [pod_template(each)["spec"] for each in workloads]
        sets = [each for each in self._kube.list("ReplicaSet", app) if _has_replicas(each)]
        jobs = [each for each in self._kube.list("Job", app) if goes_on(each)]
        specs += [each["spec"]["template"]["spec"] for each in (*sets, *jobs)]
        for pod in self._kube.list("Pod", app):
            if (pod.get("status") or {}).get("phase") not in _ENDED:
                specs.append(pod["spec"])
        return {name for spec in specs for name in secrets_used(spec)}

    def _ensure_env(self, app: str, name: str, stamp: str, variables: Mapping[str, str]) -> None:
        data = {key: base64.b64encode(value.encode()).decode() for key, value in variables.items()}
        secret = self._kube.get("Secret", app, name)
        if secret is None:
            labels = {MANAGED_BY: MANAGER, RELEASE: stamp}
            metadata = {"name": name, "namespace": app, "labels": labels}
            wanted = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": ENV_TYPE}
            try:
                secret = self._kube.create({**wanted, "immutable": True, "data": data})
            except AlreadyExists:
                secret = self._kube.get("Secret", app, name)
        if secret is None:
            raise AppsUnavailable(f"Secret {app}/{name} was made and deleted at once by others; try again")
        if not is_ours(secret, ENV_TYPE):
            raise foreign(app, name)
        if secret.get("data") != data:
            raise CannotRelease(
                f"Secret {app}/{name} does not hold the environment of v{stamp} as the ledger has it: delete it, "
                "and it will be made anew"
            )

    def _give(self, app: str, workload: Obj, wanted: Wanted) -> bool:
        object_kind, name = workload["kind"], workload["metadata"]["name"]
        for _ in range(_PATCH_ATTEMPTS):
            patch = release_patch(workload, wanted)
            if patch is None:
                return False
            version = workload["metadata"]["resourceVersion"]
            try:
                self._kube.patch(object_kind, app, name, patch, resource_version=version)
            except Conflict:
                again = self._kube.get(object_kind, app, name)
                if again is None or not process_type(again):
                    return False  # deleted, or taken out of our hands
                workload = again
            except NotFound:
                return False
            else:
                return True
        raise AppsUnavailable(f"{told(workload)} changes all the time: somebody else writes to it")


def _unclear(app: str, kind: str, workload: Obj, found: Processes) -> str:
    if not kind:
        return f"{told(workload)} has an empty label {PROCESS_TYPE}: give it the name of a process type"
    other = f"{found[kind]['kind']} {found[kind]['metadata']['name']}"
    name = f"{workload['kind']} {workload['metadata']['name']}"
    return f"{other} and {name} of app {app} both have process type {kind}: label one of them otherwise"


def _has_replicas(replica_set: Obj) -> bool:
    wanted = (replica_set.get("spec") or {}).get("replicas", 1)
    return bool(wanted or (replica_set.get("status") or {}).get("replicas"))


def _stamp(secret: Obj) -> int:
    text = str(secret["metadata"]["labels"][RELEASE])
    return int(text) if text.isdecimal() else 0
