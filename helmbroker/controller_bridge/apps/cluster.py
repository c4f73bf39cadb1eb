"""One app in its namespace: its Deployments, what runs of them, and the Secrets that hold its environment."""

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
    env_name,
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
from helmbroker.controller_bridge.apps.rollout import Seen
from helmbroker.controller_bridge.apps.template import Wanted, process_type, release_patch, secrets_used
from helmbroker.kubeapi.errors import AlreadyExists, Conflict, KubeError, NotFound, Unauthorized, Unreachable
from helmbroker.kubeapi.port import Kube, Obj

Processes = Mapping[str, Obj]
"""Process type -> its Deployment."""

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
        """The app's Deployments, by process type. Raises AppNotFound, and CannotRelease when two claim one type."""
        if not is_namespace(app):
            raise AppNotFound(f"{app!r} cannot be an app: an app is a Kubernetes namespace")
        found: dict[str, Obj] = {}
        deployments = self._kube.list("Deployment", app, labels=PROCESS_TYPE)
        for deployment in sorted(deployments, key=lambda each: str(each["metadata"]["name"])):
            kind = process_type(deployment)
            if not kind or kind in found:
                raise CannotRelease(_unclear(app, kind, deployment, found))
            found[kind] = deployment
        if not found:
            raise AppNotFound(
                f"there is no app {app}: namespace {app} has no Deployment with the label {PROCESS_TYPE}. "
                f"Hand one over: kubectl -n {app} label deployment NAME {PROCESS_TYPE}=web"
            )
        return dict(sorted(found.items()))

    def unknown_release(self, app: str, processes: Processes, newest: int) -> str:
        """The sentence about a Deployment that says it has a release the ledger does not know; or empty.

        A lost ledger, or a Deployment copied from elsewhere: going on would lose its config, or never reach it.
        processes: read before the ledger, whose newest release is `newest` (0: it is empty).
        """
        for deployment in processes.values():
            number, name = number_in(deployment["metadata"]), deployment["metadata"]["name"]
            if number is not None and number > newest:
                return (
                    f"Deployment {app}/{name} says it has release v{number}, but the ledger (Secrets "
                    f"app-release-v*) ends at v{newest}: restore the ledger, or begin anew with "
                    f"kubectl -n {app} annotate deployment {name} {RELEASE}-"
                )
        return ""

    def apply(
        self,
        app: str,
        entry: Entry,
        variables: Mapping[str, str],
        processes: Processes,
    ) -> bool:
        """Give every Deployment the release: its environment, and the images that it brings back.

        False when all of them had it already, or a newer one.
        """
        if entry.stamp is not None and variables:
            self._ensure_env(app, entry.stamp, variables)
        changed = False
        for kind, deployment in processes.items():
            wanted = Wanted(entry.number, entry.stamp, bool(variables), entry.restored.get(kind))
            changed |= self._give(app, deployment, wanted)
        return changed

    def look(self, app: str, processes: Processes, now: datetime) -> Seen:
        """What the namespace shows, read after `processes`."""
        return Seen(processes, self._kube.list("ReplicaSet", app), self._kube.list("Pod", app), now)

    def warnings(self, app: str) -> list[Obj]:
        """The cluster's complaints: they explain; rollouts that are healthy need none."""
        return self._kube.list("Event", app, fields={"type": "Warning"})

    def sweep(self, app: str, ledger: Ledger) -> None:
        """Delete env Secrets that nothing needs any more.

        Kept: those of the latest release and of releases under way, and what a Deployment, a ReplicaSet with
        replicas or a live Pod refers to.
        """
        latest = ledger.latest
        if latest is None:
            return
        pending = (entry for entry in ledger.entries if entry.state is ReleaseState.PENDING)
        kept = {env_name(entry.stamp) for entry in (latest, *pending) if entry.stamp is not None}
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
        specs = [each["spec"]["template"]["spec"] for each in self._kube.list("Deployment", app)]
        specs += [
            each["spec"]["template"]["spec"] for each in self._kube.list("ReplicaSet", app) if _has_replicas(each)
        ]
        for pod in self._kube.list("Pod", app):
            if (pod.get("status") or {}).get("phase") not in _ENDED:
                specs.append(pod["spec"])
        return {name for spec in specs for name in secrets_used(spec)}

    def _ensure_env(self, app: str, stamp: int, variables: Mapping[str, str]) -> None:
        name = env_name(stamp)
        data = {key: base64.b64encode(value.encode()).decode() for key, value in variables.items()}
        secret = self._kube.get("Secret", app, name)
        if secret is None:
            labels = {MANAGED_BY: MANAGER, RELEASE: str(stamp)}
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

    def _give(self, app: str, deployment: Obj, wanted: Wanted) -> bool:
        name = deployment["metadata"]["name"]
        for _ in range(_PATCH_ATTEMPTS):
            patch = release_patch(deployment, wanted)
            if patch is None:
                return False
            version = deployment["metadata"]["resourceVersion"]
            try:
                self._kube.patch("Deployment", app, name, patch, resource_version=version)
            except Conflict:
                again = self._kube.get("Deployment", app, name)
                if again is None or not process_type(again):
                    return False  # deleted, or taken out of our hands
                deployment = again
            except NotFound:
                return False
            else:
                return True
        raise AppsUnavailable(f"Deployment {app}/{name} changes all the time: somebody else writes to it")


def _unclear(app: str, kind: str, deployment: Obj, found: Processes) -> str:
    name = deployment["metadata"]["name"]
    if not kind:
        return f"Deployment {app}/{name} has an empty label {PROCESS_TYPE}: give it the name of a process type"
    other = found[kind]["metadata"]["name"]
    return f"Deployments {other} and {name} of app {app} both have process type {kind}: label one of them otherwise"


def _has_replicas(replica_set: Obj) -> bool:
    wanted = (replica_set.get("spec") or {}).get("replicas", 1)
    return bool(wanted or (replica_set.get("status") or {}).get("replicas"))


def _stamp(secret: Obj) -> int:
    text = str(secret["metadata"]["labels"][RELEASE])
    return int(text) if text.isdecimal() else 0
