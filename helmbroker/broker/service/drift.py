"""The check whether records and cluster still agree. It changes neither; it only tells."""

from __future__ import annotations

import logging

from helmbroker.broker.domain import naming
from helmbroker.broker.domain.drift import Finding, FindingKind, Record, SeenRelease, Sight, Snapshot, find
from helmbroker.broker.domain.kept import CannotRead, Kept, opened
from helmbroker.broker.domain.naming import ReleaseRef
from helmbroker.broker.domain.operation import Phase
from helmbroker.broker.domain.operator_ports import Survey
from helmbroker.broker.domain.ports import Cluster
from helmbroker.broker.domain.store_ports import Records, Store
from helmbroker.sealing import Keys

log = logging.getLogger("helmbroker.drift")


class DriftCheck:
    """`namespace`: where instances are made now; those of earlier ones are found in their own."""

    def __init__(self, store: Store, cluster: Cluster, survey: Survey, keys: Keys, namespace: str) -> None:
        self._store, self._cluster, self._survey = store, cluster, survey
        self._keys, self._namespace = keys, namespace

    def look(self) -> list[Finding]:
        """What differs now. Raises Unavailable, ClusterUnavailable, ClusterRefused."""
        with self._store.read() as records:
            before = snapshot(records)
        sight = self._sight(before)
        with self._store.read() as records:
            after = snapshot(records)
        return find(self._store.broker_id, before, sight, after)

    def orphans(self) -> list[ReleaseRef]:
        """Helm releases of ours without a record, and what is remembered without either. Raises as `look`."""
        found = [each for each in self.look() if each.kind in (FindingKind.ORPHAN, FindingKind.STRAY)]
        return [each.release for each in found if each.release is not None]

    def check(self) -> list[Finding]:
        """Look, keep what was found for whoever asks, and log what is new and what is gone."""
        found = self.look()
        with self._store.transaction() as tx:
            known = {(each.finding.kind, each.finding.subject) for each in tx.findings()}
            tx.replace_findings(found)
        now = {(each.kind, each.subject) for each in found}
        for each in found:
            if (each.kind, each.subject) not in known:
                log.warning("%s: %s: %s", each.kind, each.subject, each.detail)
        for kind, subject in sorted(known - now):
            log.info("no longer %s: %s", kind, subject)
        return found

    def _sight(self, records: Snapshot) -> Sight:
        broker_id = self._store.broker_id
        releases: dict[ReleaseRef, SeenRelease] = {}
        kept: dict[ReleaseRef, Kept | None] = {}
        for namespace in sorted({self._namespace, *(ref.namespace for ref in records.records)}):
            releases |= {each.ref: each for each in self._survey.releases(namespace, broker_id)}
            for record in self._cluster.records(namespace, {naming.LABEL_BROKER: broker_id}):
                try:
                    kept[record.ref] = opened(self._keys, record)
                except CannotRead:
                    kept[record.ref] = None
        unseen = records.records.keys() - releases.keys()
        foreign = frozenset(ref for ref in unseen if self._cluster.release(ref) is not None)
        return Sight(releases, kept, foreign)


def snapshot(records: Records) -> Snapshot:
    """What is recorded, tombstones left out."""
    found: dict[ReleaseRef, Record] = {}
    busy = records.busy()
    for instance_id in records.instance_ids():
        instance = records.instance(instance_id)
        if instance is None or instance.phase is Phase.GONE:
            continue
        found[instance.instance.release] = instance
        found |= {
            each.binding.release: each for each in records.bindings(instance_id) if each.phase is not Phase.GONE
        }
    return Snapshot(found, busy)
