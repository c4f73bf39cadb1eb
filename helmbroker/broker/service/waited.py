"""Binds and unbinds that the request itself waits for (OSB items 99, 112): what becomes of them at the end."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from helmbroker.broker.domain.errors import ConcurrencyError, NotFound, OperationFailed, Stopping, TookTooLong
from helmbroker.broker.domain.instance import BindingRecord, InstanceRecord
from helmbroker.broker.domain.operation import Phase
from helmbroker.broker.domain.ports import AddonRevisions
from helmbroker.broker.domain.store_ports import Store, Transaction
from helmbroker.broker.service.answers import BindingView, Unbound
from helmbroker.broker.service.base import UseCases, begin_unbind
from helmbroker.broker.service.waiting import Ending, Undo, WaitingRoom
from helmbroker.catalog import parameters
from helmbroker.catalog.model import Addon, Catalog
from helmbroker.durable import Operation, State


class WaitedBindings(UseCases):
    """Such an operation is recorded and queued as any other one; `room`: where its request waits meanwhile."""

    def __init__(
        self,
        store: Store,
        catalog: Callable[[], Catalog],
        revisions: AddonRevisions,
        namespace: str,
        room: WaitingRoom,
    ) -> None:
        super().__init__(store, catalog, revisions, namespace)
        self._room = room

    def _wait_for_bind(self, operation: Operation, undo: Undo | None) -> BindingView:
        """Raises Stopping, TookTooLong, ConcurrencyError, OperationFailed."""
        waited = self._room.wait(operation.id, undo)
        if waited.ending is Ending.STOPPED:
            raise Stopping
        if waited.ending is Ending.OVER:
            if waited.undo is None:  # begun by a request that did not wait, or others still wait for it
                raise TookTooLong("The binding is not ready yet, and is still being worked on. Ask again.")
            waited.undo()  # raises, unless it has ended in this very moment
        return self._bound(operation)

    def _bound(self, operation: Operation) -> BindingView:
        """What a bind that has ended has come to; one that failed leaves nothing behind (OSB items 14, 120)."""
        instance_id, binding_id = (str(operation.params[name]) for name in ("instance_id", "binding_id"))
        with self._store.transaction() as tx:
            instance, record = tx.instance(instance_id), tx.binding(instance_id, binding_id)
            end = tx.operation(operation.id) or operation
            latest = instance is not None and record is not None and record.operation.id == operation.id
            if instance is not None and record is not None and latest:
                if end.state is State.SUCCEEDED:
                    return binding_view(self._revisions.addon(instance.instance.addon_digest), record, made=True)
                if instance.phase is not Phase.REMOVING:  # which takes its bindings along
                    self._begin_unbind(tx, instance, record)
        if end.state is State.FAILED:
            raise OperationFailed(f"{_sentence(end)} Nothing of the binding is kept.")
        raise ConcurrencyError  # somebody has it removed

    def _undoing(self, operation: Operation, before: BindingRecord | None) -> Undo:
        """What stops a bind; `before`: what was recorded of the binding until then."""
        return partial(self._undo_bind, operation, before)

    def _undo_bind(self, operation: Operation, before: BindingRecord | None) -> None:
        """Stop the bind and leave nothing of it. Returns when it has ended by itself in this very moment.

        Raises ConcurrencyError when it had not begun, so that it is as if it had never been asked for (OSB
        items 14, 118); TookTooLong when it had: it is being removed, and the platform may repeat that (item 117).
        """
        instance_id, binding_id = (str(operation.params[name]) for name in ("instance_id", "binding_id"))
        with self._store.transaction() as tx:
            instance, record = tx.instance(instance_id), tx.binding(instance_id, binding_id)
            if instance is None or record is None or record.operation.id != operation.id:
                return
            tx.cancel(operation.id)
            end = tx.operation(operation.id) or operation
            if end.state in (State.SUCCEEDED, State.FAILED):
                return
            begun = end.fence > 0  # claimed by a worker, at whatever time
            if begun:
                self._begin_unbind(tx, instance, record)
            else:
                _restore(tx, record, before)
        if not begun:
            raise ConcurrencyError
        raise TookTooLong("The binding was not ready in time. It is being removed; ask again in a while.")

    def _wait_for_unbind(self, operation: Operation) -> Unbound:
        """What takes too long goes on. Raises Stopping, TookTooLong, ConcurrencyError, OperationFailed."""
        waited = self._room.wait(operation.id)
        if waited.ending is Ending.STOPPED:
            raise Stopping
        if waited.ending is Ending.OVER:
            raise TookTooLong("The binding is still being removed. Ask again.")
        with self._store.read() as records:
            end = records.operation(operation.id) or operation
        if end.state is State.FAILED:
            raise OperationFailed(f"{_sentence(end)} Delete the binding again.")
        if end.state is State.CANCELLED:  # the instance is being removed, and takes it along
            raise ConcurrencyError
        return Unbound()

    def _begin_unbind(self, tx: Transaction, instance: InstanceRecord, record: BindingRecord) -> Operation:
        """Stop what is done with the binding, and have it removed."""
        return begin_unbind(tx, record, self._timeout_s(instance.instance))


def binding_view(addon: Addon, record: BindingRecord, *, made: bool = False) -> BindingView:
    """Raises NotFound without credentials."""
    binding = record.binding
    if binding.credentials is None:  # being removed
        raise NotFound("There is no such service binding, or it is not ready yet.")
    return BindingView(
        credentials=binding.credentials.reveal(),
        parameters=parameters.shown(addon.parameters(binding.plan_id).bind, binding.parameters.reveal()),
        endpoints=binding.endpoints,
        expires_at=binding.expires_at,
        renew_before=binding.renew_before,
        made=made,
    )


def _sentence(end: Operation) -> str:
    """Why it failed, so that another sentence can follow."""
    return end.description if end.description.endswith((".", "!", "?", "…")) else f"{end.description}."


def _restore(tx: Transaction, record: BindingRecord, before: BindingRecord | None) -> None:
    """As it was before a bind that has not begun: nothing, a tombstone, or what an earlier attempt has left."""
    where = record.binding.instance_id, record.binding.id
    if before is None:
        tx.drop_binding(*where)
        return
    if before.phase is Phase.GONE:
        tx.forget_binding(*where)
    tx.binding_operation(*where, before.operation)
