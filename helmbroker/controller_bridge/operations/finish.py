"""What the end of an operation means for its resource; written in the transaction that ends the operation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import sqlalchemy as sa

from helmbroker.controller_bridge.beginning import begin_rotation
from helmbroker.controller_bridge.drycc_store import WatchedApps
from helmbroker.controller_bridge.model import BindingState, InstanceState, Kind, Resource
from helmbroker.controller_bridge.operations.offering import not_put_back
from helmbroker.controller_bridge.operations.rollout import recovery_failed
from helmbroker.controller_bridge.store import Store
from helmbroker.durable import Operation, State

_RETRY_S = 3600.0  # after a rotation that failed


def on_finish(store: Store) -> Callable[[sa.Connection, Operation], None]:
    """The worker's callback. An operation that is not the resource's latest of its sort changes nothing."""

    def finish(conn: sa.Connection, operation: Operation) -> None:
        change(conn, operation)
        store.audit.ended(conn, operation)

    def change(conn: sa.Connection, operation: Operation) -> None:
        if operation.kind == Kind.REINJECT:
            _reinjected(conn, store, operation)
            return
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


def _updated(conn: sa.Connection, store: Store, resource: Resource, operation: Operation) -> None:
    """An instance that could not be updated is there as before: its plan stays, and the reason is told.

    Other credentials of a service that lives elsewhere go into the app at once.
    """
    store.forget_options(conn, resource.uuid)
    store.change(conn, resource.uuid, instance=InstanceState.READY, message=operation.description)
    resolved = operation.results.get("resolve")
    if operation.state is not State.SUCCEEDED or not isinstance(resolved, Mapping):
        return
    store.change(conn, resource.uuid, plan=operation.params["plan"], plan_id=resolved["plan_id"])
    if resource.external and resource.binding is BindingState.READY:
        begin_rotation(conn, store, resource, str(operation.params["user"]), Kind.ROTATE)


def _admin_rotated(conn: sa.Connection, store: Store, resource: Resource, operation: Operation) -> None:
    """Either way the instance is there as before, for its apps."""
    store.change(conn, resource.uuid, instance=InstanceState.READY, message=operation.description)


def _bound(conn: sa.Connection, store: Store, resource: Resource, operation: Operation) -> None:
    if operation.state is State.SUCCEEDED:
        _fresh(conn, store, resource, operation)
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


def _rotated(conn: sa.Connection, store: Store, resource: Resource, operation: Operation) -> None:
    """Either way the app has credentials that work: the new ones, or those of before.

    Old ones that could not be revoked are no reason for yet another rotation: the schedule revokes them.
    """
    message = operation.description
    if operation.state is State.SUCCEEDED or "switch" in operation.results:
        _fresh(conn, store, resource, operation)
        return
    if recovery_failed(operation.results):
        message += "; the app could not be brought back, so the old and the new credentials both stay valid"
    if offered := not_put_back(operation.results):
        message += f"; {offered}"
    due = None if resource.rotate_at is None else max(resource.rotate_at, store.now(conn) + _RETRY_S)
    store.change(conn, resource.uuid, binding=BindingState.READY, message=message, rotate_at=due)


def _revoked(conn: sa.Connection, store: Store, resource: Resource, operation: Operation) -> None:
    """Either way the app has what it had."""
    store.change(conn, resource.uuid, binding=BindingState.READY, message=operation.description)


def _reinjected(conn: sa.Connection, store: Store, operation: Operation) -> None:
    """Its own releases are no news: one that crashed is not tried again before somebody makes a better one.

    What failed otherwise, nothing having been taken back, is tried again at the next look.
    """
    app = str(operation.params["app"])
    found = (operation.results.get(name) for name in ("inject", "recover"))
    versions = [each.get("version") for each in found if isinstance(each, Mapping)]
    WatchedApps(store).advance(conn, app, max((each for each in versions if isinstance(each, int)), default=0))
    if operation.state is State.FAILED:
        if not isinstance(operation.results.get("recover"), Mapping):
            WatchedApps(store).forget(conn, app)
        for resource in store.living(conn, app):
            if resource.binding is BindingState.READY:
                store.change(conn, resource.uuid, message=operation.description)


def _fresh(conn: sa.Connection, store: Store, resource: Resource, operation: Operation) -> None:
    """The app has new credentials: they are due from now on, or when the broker says so."""
    injected = operation.results.get("inject")
    given = injected.get("renew_before") if isinstance(injected, Mapping) else None
    renew_before = float(given) if isinstance(given, int | float) else None
    store.change(
        conn,
        resource.uuid,
        binding=BindingState.READY,
        message=operation.description,
        renew_before=renew_before,
        rotate_at=replace(resource, renew_before=renew_before).due(store.now(conn)),
    )


def _destroyed(conn: sa.Connection, store: Store, resource: Resource, operation: Operation) -> None:
    if operation.state is State.SUCCEEDED:
        store.delete(conn, resource.uuid)
    else:
        store.change(conn, resource.uuid, instance=InstanceState.DEPROVISION_FAILED, message=operation.description)


_Ended = Callable[[sa.Connection, Store, Resource, Operation], None]
_ENDS: Mapping[Kind, _Ended] = {
    Kind.CREATE: _created,
    Kind.UPDATE: _updated,
    Kind.BIND: _bound,
    Kind.UNBIND: _unbound,
    Kind.ROTATE: _rotated,
    Kind.ROTATE_NOW: _rotated,
    Kind.REVOKE: _revoked,
    Kind.ROTATE_ADMIN: _admin_rotated,
    Kind.DESTROY: _destroyed,
}
