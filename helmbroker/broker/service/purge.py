"""Removal of what is this broker's in the cluster and has no record: an operation that an operator asks for."""

from __future__ import annotations

from helmbroker.broker.domain import naming
from helmbroker.broker.domain.naming import ReleaseRef
from helmbroker.broker.domain.ports import Cluster
from helmbroker.broker.domain.store_ports import Store
from helmbroker.broker.service.restore import Refused

TIMEOUT_S = 600.0


class Purges:
    """Begins purges; the workers look again before they touch anything."""

    def __init__(self, store: Store, cluster: Cluster) -> None:
        self._store, self._cluster = store, cluster

    def check(self, ref: ReleaseRef) -> None:
        """Raises Refused when it is not this broker's, or has a record."""
        name = f"{ref.name} in namespace {ref.namespace}"
        ours = {naming.LABEL_BROKER: self._store.broker_id}
        with self._store.transaction() as tx:
            if tx.has_record(ref):
                raise Refused(f"{name} has a record; delete the service instance or binding instead")
        release, record = self._cluster.release(ref), self._cluster.record(ref)
        if release is not None and not release.belongs_to(ours):
            raise Refused(f"the Helm release {name} is not this broker's and is left alone")
        if release is None and (record is None or not record.belongs_to(ours)):
            raise Refused(f"there is nothing of this broker's under the name {name}")

    def begin(self, ref: ReleaseRef, *, with_data: bool) -> str:
        """The id of the operation."""
        with self._store.transaction() as tx:
            return tx.start_purge(ref, with_data=with_data, timeout_s=TIMEOUT_S).id
