"""Bindings whose lifetime is over are revoked: by ordinary unbinds, begun by whichever worker looks first."""

from __future__ import annotations

import logging

from helmbroker.broker.domain.errors import Unavailable
from helmbroker.broker.domain.operation import Phase
from helmbroker.broker.domain.ports import AddonRevisions
from helmbroker.broker.domain.store_ports import Store
from helmbroker.broker.service.base import begin_unbind, timeout_s

AGAIN_S = 600.0  # a revocation that failed is begun anew
_AT_ONCE = 100
log = logging.getLogger("helmbroker.expiry")


class Expiry:
    """The schedule is a column of the binding, on the database's clock: no process has to remember anything."""

    def __init__(self, store: Store, revisions: AddonRevisions) -> None:
        self._store, self._revisions = store, revisions

    def revoke_due(self) -> int:
        """Begin to revoke what is due, 100 at most; how many were begun here. Raises Unavailable.

        Workers may do so at the same time: each binding is due for one of them alone.
        """
        with self._store.read() as records:
            due = records.due(_AT_ONCE)
        return sum(self._try(*ids) for ids in due)

    def _try(self, instance_id: str, binding_id: str) -> bool:
        try:
            return self._revoke(instance_id, binding_id)
        except Unavailable:
            raise
        except Exception:  # its revision or its record cannot be read: that holds up neither others nor the worker
            extra = {"instance": instance_id, "binding": binding_id, "again_s": AGAIN_S}
            log.exception("an expired binding cannot be revoked", extra=extra)
            with self._store.transaction() as tx:
                tx.postpone(instance_id, binding_id, AGAIN_S)
            return False

    def _revoke(self, instance_id: str, binding_id: str) -> bool:
        with self._store.transaction() as tx:
            instance, record = tx.instance(instance_id), tx.binding(instance_id, binding_id)
            if instance is None or record is None or not tx.postpone(instance_id, binding_id, AGAIN_S):
                return False
            if Phase.REMOVING in (instance.phase, record.phase):
                return False
            begin_unbind(tx, record, timeout_s(self._revisions, instance.instance))
            return True
