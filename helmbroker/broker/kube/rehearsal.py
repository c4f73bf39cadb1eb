"""A dry run on the API server: what it would refuse of a release's objects, told before anything is made.

Told are: rights, quotas, admission (webhooks, policies, LimitRanges on claims), validation, fields that cannot be
changed, fields of others. Pods are made later by controllers; what quotas have left for them is counted here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from helmbroker.broker.domain.helm_errors import HelmError, HelmFault
from helmbroker.broker.domain.naming import ReleaseRef
from helmbroker.broker.kube import quota
from helmbroker.broker.kube.translated import translated
from helmbroker.catalog.model import Object
from helmbroker.kubeapi.errors import (
    AlreadyExists,
    Conflict,
    Forbidden,
    Invalid,
    KubeError,
    NotFound,
    Unauthorized,
    Unreachable,
)
from helmbroker.kubeapi.kinds import KINDS
from helmbroker.kubeapi.port import Kube, Obj

_HOOK = "helm.sh/hook"
_QUOTA = ("exceeded quota", " usage per ")  # of a ResourceQuota, of a LimitRange
_DEAF = "does not support dry run"  # a webhook that has effects; it has its say when the object is made


class Rehearsal:
    """`helm`: as what our helm manages fields, the name of its file."""

    def __init__(self, kube: Kube, helm: str) -> None:
        self._kube, self._helm = kube, helm

    def run(
        self, ref: ReleaseRef, objects: Sequence[Object], before: Sequence[Obj], *, force: bool, user: str | None
    ) -> None:
        """See broker.domain.ports.Cluster.rehearse. before: what the release has made so far."""
        kube = self._kube if user is None else self._kube.acting_as(user)
        sent = list(_sent(objects, ref))
        for obj in sent:
            try:
                self._try(kube, obj, force=force)
            except (Unreachable, Unauthorized):
                with translated():
                    raise
            except NotFound as error:
                if ref.namespace in error.message and "namespaces" in error.message:
                    return  # it is made later, and nothing limits what is in it
                raise HelmError(HelmFault.INVALID, str(error)) from error
            except KubeError as error:
                if _DEAF not in error.message:
                    raise HelmError(_fault(error), str(error)) from error
        self._count(ref, sent, before)

    def _try(self, kube: Kube, obj: Obj, *, force: bool) -> None:
        if not _is_hook(obj):
            kube.apply(obj, field_manager=self._helm, force=force, dry_run=True)
            return
        try:
            kube.create(obj, dry_run=True)
        except AlreadyExists:
            return  # Helm deletes it first

    def _count(self, ref: ReleaseRef, objects: Sequence[Object], before: Sequence[Obj]) -> None:
        try:
            quotas = self._kube.list("ResourceQuota", ref.namespace)
        except Forbidden:
            return  # the broker may not look at them; the pods' events tell later
        except KubeError:
            with translated():
                raise
        main = [obj for obj in objects if not _is_hook(obj)]
        hooks = [obj for obj in objects if _is_hook(obj)]
        lacking = quota.lacking(quotas, quota.growth(main, hooks, before))
        if lacking:
            raise HelmError(HelmFault.QUOTA, "; ".join(lacking))


def _sent(objects: Sequence[Object], ref: ReleaseRef) -> Iterator[Obj]:
    """What the server is asked about; kinds that we do not know are left to Helm."""
    for obj in objects:
        kind = KINDS.get(str(obj.get("kind")))
        if kind is not None and kind.api_version == obj.get("apiVersion"):
            metadata = obj.get("metadata")
            yield {
                **obj,
                "metadata": {**(metadata if isinstance(metadata, dict) else {}), "namespace": ref.namespace},
            }


def _is_hook(obj: Object) -> bool:
    metadata = obj.get("metadata")
    annotations = metadata.get("annotations") if isinstance(metadata, dict) else None
    return isinstance(annotations, dict) and _HOOK in annotations


def _fault(error: KubeError) -> HelmFault:
    if isinstance(error, Conflict):
        return HelmFault.CONFLICT
    if any(text in error.message for text in _QUOTA):
        return HelmFault.QUOTA
    if isinstance(error, Forbidden) and error.terminating:
        return HelmFault.TERMINATING
    if isinstance(error, Invalid) or "denied" in error.message:
        return HelmFault.INVALID
    return HelmFault.FORBIDDEN if isinstance(error, Forbidden) else HelmFault.OTHER
