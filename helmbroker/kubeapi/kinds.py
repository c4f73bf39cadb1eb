"""The kinds of Kubernetes objects that may be asked for, and where the API serves them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote


@dataclass(frozen=True)
class Kind:
    """Where objects of one kind are served."""

    name: str
    api_version: str
    plural: str
    namespaced: bool = True

    @property
    def id(self) -> str:
        """What the port calls it, see `named`."""
        return named(self.api_version, self.name)

    @property
    def group(self) -> str:
        """The API group; empty for the core of Kubernetes."""
        return self.api_version.rpartition("/")[0]

    def path(self, namespace: str | None, name: str | None = None) -> str:
        """The URL path of one object, or of all; without a namespace: of all namespaces.

        Raises ValueError when a namespace is given for a cluster-wide kind, or missing with a name.
        """
        if namespace and not self.namespaced:
            raise ValueError(f"{self.name} is not namespaced, yet namespace {namespace!r} was given")
        if name is not None and not name:
            raise ValueError(f"a {self.name} needs a name")
        if name and self.namespaced and not namespace:
            raise ValueError(f"{self.name} {name!r} needs a namespace")
        root = "/api/" if "/" not in self.api_version else "/apis/"
        parts = [root + self.api_version]
        if namespace:
            parts += ["namespaces", quote(namespace, safe="")]
        parts.append(self.plural)
        if name:
            parts.append(quote(name, safe=""))
        return "/".join(parts)


_KINDS = (
    Kind("Namespace", "v1", "namespaces", namespaced=False),
    Kind("Node", "v1", "nodes", namespaced=False),
    Kind("PersistentVolume", "v1", "persistentvolumes", namespaced=False),
    Kind("Pod", "v1", "pods"),
    Kind("Secret", "v1", "secrets"),
    Kind("ConfigMap", "v1", "configmaps"),
    Kind("Service", "v1", "services"),
    Kind("ServiceAccount", "v1", "serviceaccounts"),
    Kind("PersistentVolumeClaim", "v1", "persistentvolumeclaims"),
    Kind("Event", "v1", "events"),
    Kind("ResourceQuota", "v1", "resourcequotas"),
    Kind("LimitRange", "v1", "limitranges"),
    Kind("Deployment", "apps/v1", "deployments"),
    Kind("StatefulSet", "apps/v1", "statefulsets"),
    Kind("ReplicaSet", "apps/v1", "replicasets"),
    Kind("DaemonSet", "apps/v1", "daemonsets"),
    Kind("ControllerRevision", "apps/v1", "controllerrevisions"),
    Kind("Job", "batch/v1", "jobs"),
    Kind("CronJob", "batch/v1", "cronjobs"),
    Kind("HorizontalPodAutoscaler", "autoscaling/v2", "horizontalpodautoscalers"),
    Kind("PodDisruptionBudget", "policy/v1", "poddisruptionbudgets"),
    Kind("NetworkPolicy", "networking.k8s.io/v1", "networkpolicies"),
    Kind("Ingress", "networking.k8s.io/v1", "ingresses"),
    Kind("EndpointSlice", "discovery.k8s.io/v1", "endpointslices"),
    Kind("StorageClass", "storage.k8s.io/v1", "storageclasses", namespaced=False),
    Kind("Lease", "coordination.k8s.io/v1", "leases"),
    Kind("Role", "rbac.authorization.k8s.io/v1", "roles"),
    Kind("RoleBinding", "rbac.authorization.k8s.io/v1", "rolebindings"),
    Kind("ClusterRole", "rbac.authorization.k8s.io/v1", "clusterroles", namespaced=False),
    Kind("TokenReview", "authentication.k8s.io/v1", "tokenreviews", namespaced=False),
    Kind("SubjectAccessReview", "authorization.k8s.io/v1", "subjectaccessreviews", namespaced=False),
    Kind("SelfSubjectRulesReview", "authorization.k8s.io/v1", "selfsubjectrulesreviews", namespaced=False),
    Kind("ClusterRoleBinding", "rbac.authorization.k8s.io/v1", "clusterrolebindings", namespaced=False),
)

KINDS: Mapping[str, Kind] = {kind.name: kind for kind in _KINDS}


def kind_named(name: str) -> Kind:
    """The kind of that name; ValueError when it is not in the table (a programming error)."""
    kind = KINDS.get(name)
    if kind is None:
        raise ValueError(f"kind {name!r} is not in the table helmbroker.kubeapi.kinds")
    return kind


def named(api_version: str, name: str) -> str:
    """What the port calls a kind: by its bare name where the table has it, else `Name.version.group`."""
    known = KINDS.get(name)
    if known is not None and known.api_version == api_version:
        return name
    group, _, version = api_version.rpartition("/")
    return f"{name}.{version}.{group}"


def parted(name: str) -> tuple[str, str]:
    """apiVersion and bare name of `Name.version.group`. ValueError when it is none (a programming error)."""
    bare, dot, version_and_group = name.partition(".")
    version, behind, group = version_and_group.partition(".")
    if not (bare and dot and version and behind):
        raise ValueError(f"kind {name!r} is not in the table helmbroker.kubeapi.kinds, nor Name.version.group")
    return f"{group}/{version}" if group else version, bare


def described(resources: Mapping[str, Any], api_version: str, name: str) -> Kind | None:
    """The kind of that name among the resources of one API version, as the server's discovery lists them."""
    for resource in resources.get("resources") or ():
        if resource.get("kind") == name and "/" not in resource["name"]:
            return Kind(name, api_version, str(resource["name"]), namespaced=bool(resource.get("namespaced")))
    return None


def served(group: Mapping[str, Any]) -> set[str]:
    """`group/version` and `group/version/Kind` of an API group, as the server's discovery (v2) describes it."""
    found: set[str] = set()
    name = (group.get("metadata") or {}).get("name")
    for version in group.get("versions") or ():
        api_version = f"{name}/{version['version']}" if name else str(version["version"])
        kinds = [(resource.get("responseKind") or {}).get("kind") for resource in version.get("resources") or ()]
        found |= {api_version, *(f"{api_version}/{kind}" for kind in kinds if kind)}
    return found


@dataclass(frozen=True)
class ObjectRef:
    """Which object: its kind, namespace (None for cluster-wide kinds) and name."""

    kind: Kind
    namespace: str | None
    name: str

    @classmethod
    def of(cls, obj: Mapping[str, Any], find: Callable[[str], Kind] = kind_named) -> ObjectRef:
        """The reference of an object; ValueError when kind, apiVersion, name or namespace are not usable.

        find: what tells of kinds that are not in the table.
        """
        bare = str(obj.get("kind", ""))
        kind = KINDS.get(bare) or find(named(str(obj.get("apiVersion", "")), bare))
        if obj.get("apiVersion") != kind.api_version:
            raise ValueError(f"{kind.name} has apiVersion {obj.get('apiVersion')!r}, not {kind.api_version!r}")
        metadata = obj.get("metadata") or {}
        name, namespace = metadata.get("name"), metadata.get("namespace")
        if not name or (kind.namespaced and not namespace):
            raise ValueError(f"a {kind.name} needs metadata.name" + (" and namespace" if kind.namespaced else ""))
        return cls(kind, namespace, name)

    def __str__(self) -> str:
        return (
            f"{self.kind.name} {self.namespace}/{self.name}" if self.namespace else f"{self.kind.name} {self.name}"
        )
