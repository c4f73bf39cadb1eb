"""ServiceBindings of servicebinding.io: brings one to what it asks for, or tells it why not.

Everything is found on the cluster: a call may be interrupted anywhere, repeated, and made by two at once. Sections
are those of Service Binding for Kubernetes 1.1.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from helmbroker.controller_bridge.watch.finalizer import claim, is_going, let_go
from helmbroker.controller_bridge.watch.mapping import BadMapping, WorkloadMapping, at, mapping_for
from helmbroker.controller_bridge.watch.projection import (
    CannotProject,
    Projection,
    merge_patch,
    note,
    project,
    unproject,
)
from helmbroker.controller_bridge.watch.request import AVAILABLE, EXPOSED, READY, Refused, Request, status
from helmbroker.kubeapi.errors import Forbidden, Invalid, NotFound
from helmbroker.kubeapi.kinds import Kind
from helmbroker.kubeapi.port import Kube, Obj

KIND = "ServiceBinding.v1.servicebinding.io"
MAPPINGS = "ClusterWorkloadResourceMapping.v1.servicebinding.io"
FINALIZER = "helmbroker.io/projection"
TARGET = "helmbroker.io/projected-into"
"""Annotation of a ServiceBinding: the kind of its workloads, written before the first of them is changed."""

_LOG = logging.getLogger("helmbroker.bridge.watch")
_AGAIN_S = 30.0
_REFUSALS = (Forbidden, Invalid)  # what the server says to the same request tomorrow as well


@dataclass
class _Told:
    """What is found out about a binding, for its status."""

    secret: str | None  # what is projected; a service that is away for a while takes nothing out of a workload
    available: tuple[str, str, str] = ("Unknown", "NotChecked", "the service has not been looked for")
    ready: tuple[str, str, str] = ("True", "Projected", "")


class ServiceBindings:
    """See the module. now: the time, aware."""

    kind = KIND

    def __init__(self, kube: Kube, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._kube = kube
        self._now = now

    def depends_on(self, binding: Obj) -> frozenset[str]:
        """The kinds whose objects decide what becomes of the binding. Secrets are looked at again, not watched."""
        try:
            asked = Request.read(binding)
        except Refused:
            return frozenset()
        return frozenset({MAPPINGS, asked.service.kind, asked.workload.kind}) - {"Secret"}

    def reconcile(self, namespace: str, name: str) -> float | None:
        """Look at one, and do what is missing. Seconds until it is worth another look; None: not before a change.

        Raises KubeError for what may be otherwise at the next try.
        """
        binding = self._kube.get(KIND, namespace, name)
        if binding is None:
            return None
        if is_going(binding):
            return self._end(binding)
        told = _Told(_projected(binding))
        try:
            asked = Request.read(binding)
            told.secret = self._secret_of(asked, namespace, told)
            binding = self._claim(binding, asked)
            self._project_all(binding, asked, told.secret)
        except Refused as refusal:
            told.ready = ("False", refusal.reason, str(refusal))
        self._tell(binding, told)
        return None if told.ready[0] == "True" else _AGAIN_S

    def _claim(self, binding: Obj, asked: Request) -> Obj:
        """Note what will be changed. Workloads of another kind, which it named before, lose it first."""
        before = (binding["metadata"].get("annotations") or {}).get(TARGET)
        if before not in (None, asked.workload.kind):
            self._withdraw(binding, before)
        return claim(self._kube, KIND, binding, FINALIZER, {TARGET: asked.workload.kind})

    def _end(self, binding: Obj) -> float | None:
        before = (binding["metadata"].get("annotations") or {}).get(TARGET)
        try:
            if before is not None and FINALIZER in (binding["metadata"].get("finalizers") or ()):
                self._withdraw(binding, before)
        except Refused as refusal:
            self._tell(binding, _Told(_projected(binding), ready=("False", refusal.reason, str(refusal))))
            return _AGAIN_S
        let_go(self._kube, KIND, binding, FINALIZER)
        return None

    def _secret_of(self, asked: Request, namespace: str, told: _Told) -> str:
        """The name of the Secret that the service exposes, with all in it that is wanted. Raises Refused."""
        service, place = asked.service, f"{namespace}/{asked.service.name}"
        try:
            name = service.name if service.kind == "Secret" else self._exposed(asked, namespace)
            secret = self._kube.get("Secret", namespace, str(name))
            if secret is None:
                raise Refused("ServiceNotFound", f"Secret {namespace}/{name} of the service {place} is not there")
        except Refused as refusal:
            told.available = ("False", refusal.reason, str(refusal))
            raise
        except _REFUSALS as error:
            told.available = ("False", "ServiceNotReadable", str(error))
            raise Refused("ServiceNotReadable", str(error)) from None
        told.available = ("True", "ResolvedBindingSecret", "")
        asked.check_entries(secret.get("data") or {}, f"{namespace}/{name}")
        return str(name)

    def _exposed(self, asked: Request, namespace: str) -> str:
        service, place = asked.service, f"{namespace}/{asked.service.name}"
        kind = self._kind(service.kind, "ServiceNotFound")
        found = self._kube.get(service.kind, namespace, str(service.name))
        if found is None:
            raise Refused("ServiceNotFound", f"there is no {kind.name} {place}")
        name = at(found, EXPOSED)
        if not name:
            raise Refused(
                "ServiceMissingBinding",
                f"{kind.name} {place} exposes no Secret (yet): it has no status.binding.name",
            )
        return str(name)

    def _kind(self, kind: str, reason: str) -> Kind:
        """As the server has it; Refused when it serves none of that name in namespaces."""
        found = self._kube.find_kind(kind)
        if found is None or not found.namespaced:
            raise Refused(reason, f"the cluster serves no kind {kind} in namespaces")
        return found

    def _project_all(self, binding: Obj, asked: Request, secret: str) -> None:
        """Into every workload that is meant, out of every other. Raises Refused with all that did not go."""
        metadata = binding["metadata"]
        kind = self._kind(asked.workload.kind, "WorkloadNotFound")
        wanted = Projection(metadata["uid"], asked.name, secret, asked.overrides, asked.env, asked.containers)
        try:
            mapping = self._mapping(kind, asked.workload.version)
            workloads = self._kube.list(asked.workload.kind, metadata["namespace"])
        except (BadMapping, *_REFUSALS) as error:
            raise Refused("WorkloadNotReadable", str(error)) from None
        chosen = [each for each in workloads if asked.wants(each)]
        if not chosen:
            sought = f"called {asked.workload.name}" if asked.workload.name else "that its selector matches"
            self._each(workloads, kind, lambda workload: unproject(workload, metadata["uid"]))
            raise Refused("WorkloadNotFound", f"namespace {metadata['namespace']} has no {kind.name} {sought}")

        def changed(workload: Obj) -> Obj:
            meant = asked.wants(workload)
            return project(workload, wanted, mapping) if meant else unproject(workload, wanted.uid)

        self._each(workloads, kind, changed)

    def _mapping(self, kind: Kind, version: str) -> WorkloadMapping:
        """What is said of the kind, or the default where nothing is."""
        name = f"{kind.plural}.{kind.group}" if kind.group else kind.plural
        found = None if self._kube.find_kind(MAPPINGS) is None else self._kube.get(MAPPINGS, None, name)
        return mapping_for(found, version)

    def _withdraw(self, binding: Obj, kind: str) -> None:
        """Out of every workload of a kind. Raises Refused."""
        uid = binding["metadata"]["uid"]
        served = self._kube.find_kind(kind)
        if served is None:
            return  # and so are its workloads gone
        workloads = self._kube.list(kind, binding["metadata"]["namespace"])
        self._each([each for each in workloads if note(each, uid)], served, lambda each: unproject(each, uid))

    def _each(self, workloads: list[Obj], kind: Kind, change: Callable[[Obj], Obj]) -> None:
        """Change each of them, whatever the others say; Refused with all that was said."""
        problems = []
        for workload in workloads:
            if is_going(workload):
                continue
            namespace, name = workload["metadata"]["namespace"], workload["metadata"]["name"]
            try:
                patch = merge_patch(workload, change(workload))
                if patch:
                    version = workload["metadata"]["resourceVersion"]
                    self._kube.patch(kind.id, namespace, name, patch, resource_version=version)
                    _LOG.info(
                        "workload changed", extra={"kind": kind.name, "namespace": namespace, "workload": name}
                    )
            except NotFound:
                continue
            except (CannotProject, BadMapping, *_REFUSALS) as error:
                problems.append(f"{kind.name} {namespace}/{name}: {error}")
        if problems:
            raise Refused("WorkloadNotProjected", "; ".join(problems))

    def _tell(self, binding: Obj, told: _Told) -> None:
        metadata = binding["metadata"]
        conditions = {AVAILABLE: told.available, READY: told.ready}
        patch = status(binding, told.secret, conditions, self._now().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
        if patch is None:
            return
        version = metadata["resourceVersion"]
        self._kube.patch_status(KIND, metadata["namespace"], metadata["name"], patch, resource_version=version)


def _projected(binding: Obj) -> str | None:
    name = at(binding, EXPOSED)
    return None if name is None else str(name)
