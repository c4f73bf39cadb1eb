"""What the REST API may ask. The rules of states are checked in the transaction that writes row and operation.

The sentences of refusals are those of the Drycc controller, which clients know.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import sqlalchemy as sa

from helmbroker.audit import Outcome, names
from helmbroker.controller_bridge.audited import Event
from helmbroker.controller_bridge.delivery import EnvMapping
from helmbroker.controller_bridge.model import BindingState, InstanceState, Kind, Resource, app_subject
from helmbroker.controller_bridge.operations.progress import described
from helmbroker.controller_bridge.sealing import Sealer
from helmbroker.controller_bridge.store import NameTaken, Store
from helmbroker.durable import JSON, Operation, State
from helmbroker.status.workers import living

INSTANCE_TIMEOUT_S = 3600.0
RELEASE_TIMEOUT_S = 1800.0
ROTATION_TIMEOUT_S = 3600.0  # the time for open connections is part of it
_TIMEOUTS_S = {
    Kind.CREATE: INSTANCE_TIMEOUT_S,
    Kind.DESTROY: INSTANCE_TIMEOUT_S,
    Kind.ROTATE: ROTATION_TIMEOUT_S,
    Kind.ROTATE_NOW: ROTATION_TIMEOUT_S,
}
_GOING_ON = (BindingState.BINDING, BindingState.UNBINDING, BindingState.ROTATING)


class Refused(Exception):
    """Not in this state; the sentence says why."""


class Conflicting(Exception):
    """Something else is being done with the resource."""


class NotUnique(Exception):
    """The app has a resource of this name."""


class NoSuchResource(Exception):
    """The app has no resource of this name."""


@dataclass(frozen=True)
class NewResource:
    """What a user asks for. `options` may hold secrets: not shown."""

    app: str
    name: str
    service: str
    plan: str
    options: Mapping[str, JSON]

    def __repr__(self) -> str:
        return f"NewResource({self.app}/{self.name}, {self.service}:{self.plan})"


class Seen(NamedTuple):
    """A resource, what happens with it or happened last, in words, and whether that failed."""

    resource: Resource
    message: str
    failed: bool


class Service:
    """The use cases of the platform side."""

    def __init__(self, store: Store, sealer: Sealer) -> None:
        self._store, self._queue, self._sealer = store, store.queue(), sealer

    def page(self, app: str, *, limit: int, offset: int) -> tuple[int, Sequence[Resource]]:
        """How many resources the app has, and some of them, newest first."""
        with self._store.reading() as conn:
            return self._store.page(conn, app, limit=limit, offset=offset)

    def look(self, app: str, name: str) -> Seen:
        """A resource, and at which step its operation is, or how the last one ended. Raises NoSuchResource."""
        with self._store.reading() as conn:
            resource = self._store.find(conn, app, name)
            if resource is None:
                raise NoSuchResource(name)
            ids = (each for each in (resource.binding_operation, resource.instance_operation) if each)
            found = [each for each in (self._queue.get(conn, one) for one in ids) if each]
            for operation in found:
                if not operation.state.finished:
                    return Seen(resource, described(operation), failed=False)
            last = max(found, key=lambda one: one.finished_at or 0.0, default=None)
            return Seen(resource, resource.message, last is not None and last.state is State.FAILED)

    def create(self, new: NewResource, user: str) -> Resource:
        """Note the resource and begin to provision it. Raises NotUnique."""
        moment, identity = time.time(), str(uuid.uuid4())
        operation_id = str(uuid.uuid4())
        resource = Resource(
            uuid=identity,
            app=new.app,
            name=new.name,
            service=new.service,
            plan=new.plan,
            service_id=None,
            plan_id=None,
            instance_id=str(uuid.uuid4()),
            binding_id=None,
            instance=InstanceState.PROVISIONING,
            binding=BindingState.UNBOUND,
            instance_operation=operation_id,
            binding_operation=None,
            message="",
            owner=user,
            created=moment,
            updated=moment,
        )
        sealed = self._sealer.seal(new.options, owner=identity) if new.options else None
        with self._store.writing() as conn:
            try:
                self._store.insert(conn, resource, sealed)
            except NameTaken:
                raise NotUnique(new.name) from None
            about: dict[str, JSON] = {"plan": resource.plan_name, "options": [*names(new.options)]}
            self._begin(conn, Kind.CREATE, operation_id, resource, user, **about)
        return resource

    def bind(self, app: str, name: str, user: str, env: EnvMapping | None = None) -> Resource:
        """Begin to bind; `env`: how the app gets the credentials. Raises NoSuchResource, Refused, Conflicting."""
        with self._store.writing() as conn:
            resource = self._locked(conn, app, name)
            if resource.instance is not InstanceState.READY:
                raise Refused("the resource instance is not ready")
            if resource.binding is BindingState.READY:
                raise Refused("the resource instance is binding")
            if resource.binding is BindingState.UNBIND_FAILED:
                raise Refused("the last binding of the resource instance is not removed yet: unbind it first")
            if resource.binding in _GOING_ON:
                raise Conflicting(f"Resource {name} is {resource.binding.lower()}")
            operation_id = str(uuid.uuid4())
            self._store.change(
                conn,
                resource.uuid,
                binding=BindingState.BINDING,
                message="",
                binding_id=str(uuid.uuid4()),
                binding_operation=operation_id,
                env=(env or EnvMapping()).stored(),
            )
            self._begin(conn, Kind.BIND, operation_id, resource, user, env=(env or EnvMapping()).stored())
            return self._locked(conn, app, name)

    def unbind(self, app: str, name: str, user: str) -> Resource:
        """Begin to unbind; ends a bind that is still going on. Raises NoSuchResource, Refused."""
        with self._store.writing() as conn:
            resource = self._locked(conn, app, name)
            if resource.binding_id is None:
                raise Refused("the resource instance is not binding")
            self._unbind(conn, resource, user)
            return self._locked(conn, app, name)

    def rotate(self, app: str, name: str, user: str, *, now: bool = False) -> Resource:
        """Begin to replace the credentials; `now`: the old ones end before the app runs with the new ones.

        Raises NoSuchResource, Refused, Conflicting.
        """
        with self._store.writing() as conn:
            resource = self._locked(conn, app, name)
            if resource.binding in _GOING_ON and not (now and resource.binding is BindingState.ROTATING):
                raise Conflicting(f"Resource {name} is {resource.binding.lower()}")
            if resource.binding not in (BindingState.READY, BindingState.ROTATING):
                raise Refused("the resource instance is not binding")
            self._stop(conn, resource, "stopped: the credentials are rotated at once")
            self._rotate(conn, resource, user, Kind.ROTATE_NOW if now else Kind.ROTATE)
            return self._locked(conn, app, name)

    def rotate_due(self, moment: float) -> int:
        """Begin to rotate what is due by `moment` (seconds since the epoch); how many."""
        with self._store.writing() as conn:
            due = self._store.due(conn, moment)
            for resource in due:
                self._rotate(conn, resource, resource.owner, Kind.ROTATE)
            return len(due)

    def schedule_rotation(self, app: str, name: str, every_s: float | None) -> Resource:
        """Rotate every so many seconds from now on; None: only before they expire. Raises NoSuchResource."""
        with self._store.writing() as conn:
            resource = self._locked(conn, app, name)
            due = replace(resource, rotate_every_s=every_s).due(time.time())
            self._store.change(conn, resource.uuid, rotate_every_s=every_s, rotate_at=due)
            event = Event("schedule rotation", Outcome.DONE, app, name, detail={"every_s": every_s})
            self._store.audit.tell(conn, event)
            return self._locked(conn, app, name)

    def destroy(self, app: str, name: str, user: str) -> None:
        """Begin to deprovision; what is half bound is unbound first. Raises NoSuchResource, Refused."""
        with self._store.writing() as conn:
            resource = self._locked(conn, app, name)
            if resource.binding in (BindingState.READY, BindingState.ROTATING):
                raise Refused("the resource instance is still binding")
            if resource.instance is InstanceState.PROVISIONING:
                raise Refused("the resource instance is provisioning")
            if resource.instance is InstanceState.DEPROVISIONING:
                return
            if resource.binding_id is not None:
                self._unbind(conn, resource, user)
            operation_id = str(uuid.uuid4())
            self._store.change(
                conn,
                resource.uuid,
                instance=InstanceState.DEPROVISIONING,
                message="",
                instance_operation=operation_id,
            )
            self._begin(conn, Kind.DESTROY, operation_id, resource, user)

    def rollback(self, app: str, version: int, user: str) -> Operation:
        """Begin to go back to app release `version`."""
        with self._store.writing() as conn:
            return self._queue.enqueue(
                conn,
                id=str(uuid.uuid4()),
                kind=Kind.ROLLBACK,
                subject=app_subject(app),
                params={"app": app, "version": version, "user": user},
                timeout_s=RELEASE_TIMEOUT_S,
            )

    def rollback_operation(self, app: str, operation_id: str) -> Operation | None:
        """A rollback of this app; None when there is none of this id."""
        with self._store.reading() as conn:
            found = self._queue.get(conn, operation_id)
        mine = found is not None and (found.kind, found.subject) == (Kind.ROLLBACK, app_subject(app))
        return found if mine else None

    def workers(self) -> str:
        """How many workers live, in words. Raises what the database raises when it does not answer."""
        with self._store.reading() as conn:
            return living(self._store.workers(conn))

    def _unbind(self, conn: sa.Connection, resource: Resource, user: str) -> None:
        if resource.binding is BindingState.UNBINDING:
            return
        self._stop(conn, resource, "stopped: the resource is unbound")
        operation_id = str(uuid.uuid4())
        self._store.change(
            conn, resource.uuid, binding=BindingState.UNBINDING, message="", binding_operation=operation_id
        )
        self._begin(conn, Kind.UNBIND, operation_id, resource, user)

    def _stop(self, conn: sa.Connection, resource: Resource, why: str) -> None:
        """End a bind or a rotation that is going on; what it leaves is for the operation that comes."""
        if resource.binding in _GOING_ON and resource.binding_operation is not None:
            self._queue.cancel(conn, resource.app_subject, description=why, only=resource.binding_operation)

    def _rotate(self, conn: sa.Connection, resource: Resource, user: str, kind: Kind) -> None:
        operation_id, successor = str(uuid.uuid4()), str(uuid.uuid4())
        self._store.change(
            conn,
            resource.uuid,
            binding=BindingState.ROTATING,
            message="",
            binding_operation=operation_id,
            other_bindings=[*resource.other_bindings, successor],
        )
        self._begin(conn, kind, operation_id, resource, user, successor=successor)

    def _begin(
        self, conn: sa.Connection, kind: Kind, operation_id: str, resource: Resource, user: str, **more: JSON
    ) -> None:
        of_instance = kind in (Kind.CREATE, Kind.DESTROY)
        self._queue.enqueue(
            conn,
            id=operation_id,
            kind=kind,
            subject=resource.subject if of_instance else resource.app_subject,
            params={"app": resource.app, "resource": resource.uuid, "user": user, **more},
            timeout_s=_TIMEOUTS_S.get(kind, RELEASE_TIMEOUT_S),
        )

    def _locked(self, conn: sa.Connection, app: str, name: str) -> Resource:
        resource = self._store.find(conn, app, name, lock=True)
        if resource is None:
            raise NoSuchResource(name)
        return resource
