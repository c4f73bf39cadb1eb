"""What the end of an operation means for its resource; written in the transaction that ends the operation."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import sqlalchemy as sa

from helmbroker.controller_bridge.model import BindingState, InstanceState, Kind, Resource
from helmbroker.controller_bridge.operations.rollout import recovery_failed
from helmbroker.controller_bridge.store import Store
from helmbroker.durable import Operation, State


def on_finish(store: Store) -> Callable[[sa.Connection, Operation], None]:
    """The worker's callback. An operation that is not the resource's latest of its sort changes nothing."""

    def finish(conn: sa.Connection, operation: Operation) -> None:
        ended = _ENDS.get(Kind(operation.kind))
        if ended is None or operation.state is State.CANCELLED:  # who cancels has written the row already
            return
        resource = store.get(conn, str(operation.params["resource"]), lock=True)
        if resource is not None and operation.id in (resource.instance_operation, resource.binding_operation):
            ended(conn, store, resource, operation)

    return finish


def _created(conn: sa.Connection, store: Store, resource: Resource, operation: Operation) -> None:
    state = InstanceState.READY if operation.state is State.SUCCEEDED else InstanceState.FAILED
    store.forget_options(conn, resource.uuid)
    store.change(conn, resource.uuid, instance=state, message=operation.description)


def _bound(conn: sa.Connection, store: Store, resource: Resource, operation: Operation) -> None:
    if operation.state is State.SUCCEEDED:
        store.change(conn, resource.uuid, binding=BindingState.READY, message=operation.description)
    elif "await unbind" in operation.results and not recovery_failed(operation.results):
        store.change(
            conn, resource.uuid, binding=BindingState.FAILED, message=operation.description, binding_id=None
        )
    else:
        store.change(conn, resource.uuid, binding=BindingState.UNBIND_FAILED, message=operation.description)


def _unbound(conn: sa.Connection, store: Store, resource: Resource, operation: Operation) -> None:
    if operation.state is State.SUCCEEDED:
        store.change(
            conn, resource.uuid, binding=BindingState.UNBOUND, message=operation.description, binding_id=None
        )
        return
    recovered = operation.results.get("recover")
    kept = isinstance(recovered, Mapping) and "version" in recovered
    state = BindingState.READY if kept else BindingState.UNBIND_FAILED
    store.change(conn, resource.uuid, binding=state, message=operation.description)


def _destroyed(conn: sa.Connection, store: Store, resource: Resource, operation: Operation) -> None:
    if operation.state is State.SUCCEEDED:
        store.delete(conn, resource.uuid)
    else:
        store.change(conn, resource.uuid, instance=InstanceState.DEPROVISION_FAILED, message=operation.description)


_Ended = Callable[[sa.Connection, Store, Resource, Operation], None]
_ENDS: Mapping[Kind, _Ended] = {
    Kind.CREATE: _created,
    Kind.BIND: _bound,
    Kind.UNBIND: _unbound,
    Kind.DESTROY: _destroyed,
}
