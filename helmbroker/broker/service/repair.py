"""Repairs that an operator asks for: ordinary operations, one for each instance that differs from its record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from helmbroker.broker.domain.drift import Finding, FindingKind
from helmbroker.broker.domain.operation import REDEPLOYED, Kind
from helmbroker.broker.domain.ports import AddonRevisions
from helmbroker.broker.domain.store_ports import Store
from helmbroker.broker.service.base import timeout_s

REPAIRABLE = frozenset({FindingKind.LOST, FindingKind.CHANGED, FindingKind.UNREMEMBERED})
_DEPLOYED_AGAIN = frozenset({FindingKind.LOST, FindingKind.CHANGED})


@dataclass(frozen=True)
class Begun:
    """The repair of an instance. operation_id: None when it is being worked on; then look again later."""

    instance_id: str
    operation_id: str | None


class Repairs:
    """Begins repairs; the workers carry them out."""

    def __init__(self, store: Store, revisions: AddonRevisions) -> None:
        self._store, self._revisions = store, revisions

    def begin(self, findings: Sequence[Finding]) -> list[Begun]:
        """One repair for each instance that these findings are about. Raises Unavailable."""
        meant = [each for each in findings if each.kind in REPAIRABLE and each.instance_id is not None]
        return [self._begin(each, meant) for each in sorted({str(found.instance_id) for found in meant})]

    def _begin(self, instance_id: str, findings: Sequence[Finding]) -> Begun:
        subjects = {
            each.subject for each in findings if each.instance_id == instance_id and each.kind in _DEPLOYED_AGAIN
        }
        with self._store.transaction() as tx:
            record = tx.instance(instance_id)
            if record is None or instance_id in tx.busy():
                return Begun(instance_id, None)
            releases = [record.instance.release.name] if f"instance {instance_id}" in subjects else []
            releases += [
                each.binding.release.name
                for each in tx.bindings(instance_id)
                if f"binding {instance_id}/{each.binding.id}" in subjects
            ]
            limit_s = timeout_s(self._revisions, record.instance)
            about = {REDEPLOYED: releases}
            operation = tx.start(Kind.REPAIR, instance_id, None, timeout_s=limit_s, about=about, detail=about)
            return Begun(instance_id, operation.id)
