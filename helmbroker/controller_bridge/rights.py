"""What the bridge does in the cluster, as rights: for apps, their users, and bindings that others make. Pure.

Releases of an app are Secrets with names of their own, and RBAC cannot limit `list` and `create` to names: the
bridge can read every Secret of its apps. Its users can not: they see what their role in the app allows.
"""

from __future__ import annotations

from collections.abc import Sequence

from helmbroker.kubeapi.kinds import Kind
from helmbroker.kubeapi.rights import Right, Scope, right

ROLE = "helmbroker-bridge"
WATCH_ROLE = "helmbroker-watch"
_RELEASES = (
    *(
        right(kind, verbs, why)
        for kind in ("Deployment", "StatefulSet", "CronJob")
        for verbs, why in (
            ("list", "the process types of an app"),
            ("patch", "an app release goes into the pod template"),
            ("get", "read anew when somebody else has changed it meanwhile"),
        )
    ),
    right("ReplicaSet", "list", "how a rollout goes, and which environments are still used"),
    right("Job", "list", "which environments the runs of a CronJob still use"),
    right("Pod", "list", "how a rollout goes"),
    right("Pod", "delete", "a StatefulSet waits for ever for a pod that will never be ready"),
    right("Event", "list", "why a rollout does not succeed"),
    right(
        "Secret", "get list create patch delete", "app releases, environments of apps, and what is offered to them"
    ),
)
_GIVEN = (right("Secret", "get", "credentials of services that live elsewhere, given by the owner of the app"),)
_USERS = (
    right("TokenReview", "create", "who the caller is", Scope.CLUSTER),
    right("SubjectAccessReview", "create", "what the caller may do in the app's namespace", Scope.CLUSTER),
)
_BINDINGS = tuple(
    Kind("ServiceBinding", version, "servicebindings")
    for version in ("servicebinding.io/v1", "servicecatalog.k8s.io/v1beta1")
)
_MAPPING = Kind(
    "ClusterWorkloadResourceMapping", "servicebinding.io/v1", "clusterworkloadresourcemappings", namespaced=False
)
_WATCH = (
    *(right(kind, "get list watch", "what others ask for") for kind in _BINDINGS),
    *(right(kind, "patch", "a finalizer: nothing is left behind when it is deleted") for kind in _BINDINGS),
    right(_BINDINGS[0], "patch", "what became of it", part="status"),
    right(_MAPPING, "get list watch", "where a kind of workloads keeps its pod template", Scope.CLUSTER),
    *(
        right(kind, "list watch patch", "workloads that a Secret is projected into")
        for kind in ("Deployment", "StatefulSet", "DaemonSet", "CronJob")
    ),
    right("Secret", "get", "what a binding projects or injects"),
    right("Event", "create", "why a binding of service-catalog was not injected"),
)


def rights(platform: str) -> Sequence[Right]:
    """Of API and worker. platform: as the setting has it."""
    if platform == "drycc":
        return _GIVEN
    return (*_RELEASES, *_GIVEN, *(_USERS if platform == "kubernetes" else ()))


def watch_rights() -> Sequence[Right]:
    """Of `helmbroker-bridge watch`, which makes app releases, too."""
    return (*_WATCH, *_RELEASES)
