"""What the REST API may ask. The rules of states are checked in the transaction that writes row and operation.

The sentences of refusals are those of the Drycc controller, which clients know.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace

import sqlalchemy as sa

from helmbroker.audit import Outcome, names
from helmbroker.controller_bridge.audited import Event
from helmbroker.controller_bridge.beginning import begin, begin_rotation
from helmbroker.controller_bridge.delivery import EnvMapping
from helmbroker.controller_bridge.model import SELF, BindingState, InstanceState, Kind, Resource
from helmbroker.controller_bridge.releasing import Releasing
from helmbroker.controller_bridge.sealing import Sealer
from helmbroker.controller_bridge.store import NameTaken, Store
from helmbroker.controller_bridge.views import NoSuchResource, Views, gone
from helmbroker.durable import JSON

UNCHANGEABLE = "the resource instance cann't changed"  # word for word: clients know it
_GOING_ON = (BindingState.BINDING, BindingState.UNBINDING, BindingState.ROTATING)


class Refused(Exception):
    """Not in this state; the sentence says why."""


class Conflicting(Exception):
    """Something else is being done with the resource."""


class NotUnique(Exception):
    """The app has a resource of this name."""


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


class Service(Views):
    """The use cases of the platform side."""

    def __init__(self, store: Store, sealer: Sealer) -> None:
        super().__init__(store)
        self._sealer = sealer
        self.releasing = Releasing(store)

    def create(self, new: NewResource, user: str) -> Resource:
        """Note the resource and begin to provision it. Raises NotUnique, Refused."""
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
            self._check_there(conn, resource.app)
            try:
                self._store.insert(conn, resource, sealed)
            except NameTaken:
                raise NotUnique(new.name) from None
            about: dict[str, JSON] = {"plan": resource.plan_name, "options": [*names(new.options)]}
            begin(conn, self._store, Kind.CREATE, operation_id, resource, user, **about)
        return resource

    def update(
        self, app: str, name: str, plan_name: str | None, options: Mapping[str, JSON], user: str
    ) -> Resource:
        """Begin to change the plan, the options, or both: the broker may find that there is nothing to do.

        plan_name: None keeps the plan. `options` are merged into those that the instance has.
        Raises NoSuchResource, Refused.
        """
        with self._store.writing() as conn:
            resource = self._usable(conn, app, name)
            service, _, plan = (resource.plan_name if plan_name is None else plan_name).partition(":")
            if resource.source is not None:
                raise Refused(f"the resource instance is that of {resource.source}: update that")
            if service != resource.service or not plan:
                raise Refused(UNCHANGEABLE)
            _check_ready(resource)
            operation_id = str(uuid.uuid4())
            self._store.change(
                conn,
                resource.uuid,
                instance=InstanceState.UPDATING,
                message="",
                instance_operation=operation_id,
                sealed_options=self._sealer.seal(options, owner=resource.uuid) if options else None,
            )
            about: dict[str, JSON] = {"plan": plan, "options": [*names(options)]}
            begin(conn, self._store, Kind.UPDATE, operation_id, resource, user, **about)
            return self._locked(conn, app, name)

    def rotate_admin(self, app: str, name: str, user: str) -> Resource:
        """Begin to replace the password of the instance's own administrator. Raises NoSuchResource, Refused."""
        with self._store.writing() as conn:
            resource = self._usable(conn, app, name)
            if resource.source is not None:
                raise Refused(f"the resource instance is that of {resource.source}: rotate that")
            _check_ready(resource)
            operation_id = str(uuid.uuid4())
            self._store.change(
                conn, resource.uuid, instance=InstanceState.UPDATING, message="", instance_operation=operation_id
            )
            begin(conn, self._store, Kind.ROTATE_ADMIN, operation_id, resource, user)
            return self._locked(conn, app, name)

    def bind(self, app: str, name: str, user: str, env: EnvMapping | None = None) -> Resource:
        """Begin to bind; `env`: how the app gets the credentials. Raises NoSuchResource, Refused, Conflicting."""
        with self._store.writing() as conn:
            resource = self._usable(conn, app, name)
            if resource.instance is not InstanceState.READY:
                raise Refused("the resource instance is not ready")
            if resource.binding is BindingState.READY:
                raise Refused("the resource instance is binding")
            if resource.binding is BindingState.UNBIND_FAILED:
                raise Refused("the last binding of the resource instance is not removed yet: unbind it first")
            if resource.binding in _GOING_ON:
                raise Conflicting(f"Resource {name} is {resource.binding.lower()}")
            operation_id, chosen = str(uuid.uuid4()), (env or EnvMapping()).stored()
            self._store.change(
                conn,
                resource.uuid,
                binding=BindingState.BINDING,
                message="",
                binding_id=str(uuid.uuid4()),
                binding_operation=operation_id,
                env=chosen,
            )
            begin(conn, self._store, Kind.BIND, operation_id, resource, user, env=chosen)
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
            resource = self._usable(conn, app, name)
            if resource.binding in _GOING_ON and not (now and resource.binding is BindingState.ROTATING):
                raise Conflicting(f"Resource {name} is {resource.binding.lower()}")
            if resource.binding not in (BindingState.READY, BindingState.ROTATING):
                raise Refused("the resource instance is not binding")
            self._stop(conn, resource, "stopped: the credentials are rotated at once")
            begin_rotation(conn, self._store, resource, user, Kind.ROTATE_NOW if now else Kind.ROTATE)
            return self._locked(conn, app, name)

    def rotate_due(self, at_once: int) -> tuple[int, int]:
        """Begin to rotate what is due, so that at most `at_once` rotations go on; how many, and how many wait."""
        with self._store.writing() as conn:
            due = self._store.due(conn)
            begun = due[: max(0, at_once - self._store.rotating(conn))]
            for resource in begun:
                begin_rotation(conn, self._store, resource, resource.owner, Kind.ROTATE)
            return len(begun), len(due) - len(begun)

    def schedule_rotation(self, app: str, name: str, every_s: float | None) -> Resource:
        """Rotate every so many seconds from now on; None: only before they expire.

        Raises NoSuchResource, Refused.
        """
        with self._store.writing() as conn:
            resource = self._usable(conn, app, name)
            due = replace(resource, rotate_every_s=every_s).due(self._store.now(conn))
            self._store.change(conn, resource.uuid, rotate_every_s=every_s, rotate_at=due)
            event = Event("schedule rotation", Outcome.DONE, app, name, detail={"every_s": every_s})
            self._store.audit.tell(conn, event)
            return self._locked(conn, app, name)

    def destroy(self, app: str, name: str, user: str) -> None:
        """Begin to deprovision; what is half bound is unbound first, and an update ends.

        Raises NoSuchResource, Refused.
        """
        with self._store.writing() as conn:
            resource = self._locked(conn, app, name)
            if resource.binding in (BindingState.READY, BindingState.ROTATING):
                raise Refused("the resource instance is still binding")
            if resource.instance is InstanceState.PROVISIONING:
                raise Refused("the resource instance is provisioning")
            if resource.instance is InstanceState.DEPROVISIONING:
                return
            if sharing := self._store.sharing(conn, resource.uuid):
                raise Refused(f"the resource instance is shared with {', '.join(sharing)}: destroy that first")
            self._remove(conn, resource, user)

    def abandon(self, app: str) -> int:
        """Begin to unbind and deprovision all that an app had which is gone; how many resources.

        An instance that other apps share stays until they have let it go.
        """
        with self._store.writing() as conn:
            begun = (InstanceState.PROVISIONING, InstanceState.DEPROVISIONING)  # the one first, the other already
            found = [
                each
                for each in self._store.living(conn, app, lock=True)
                if each.instance not in begun and not self._store.sharing(conn, each.uuid)
            ]
            for resource in found:
                self._remove(conn, resource, SELF)
            return len(found)

    def _remove(self, conn: sa.Connection, resource: Resource, user: str) -> None:
        if resource.binding_id is not None:
            self._unbind(conn, resource, user)
        why, running = "stopped: the resource is destroyed", resource.instance_operation
        self._queue.cancel(conn, resource.subject, description=why, only=running)
        operation_id = str(uuid.uuid4())
        self._store.change(
            conn,
            resource.uuid,
            instance=InstanceState.DEPROVISIONING,
            message="",
            instance_operation=operation_id,
        )
        begin(conn, self._store, Kind.DESTROY, operation_id, resource, user)

    def _unbind(self, conn: sa.Connection, resource: Resource, user: str) -> None:
        if resource.binding is BindingState.UNBINDING:
            return
        self._stop(conn, resource, "stopped: the resource is unbound")
        operation_id = str(uuid.uuid4())
        self._store.change(
            conn, resource.uuid, binding=BindingState.UNBINDING, message="", binding_operation=operation_id
        )
        begin(conn, self._store, Kind.UNBIND, operation_id, resource, user)

    def _stop(self, conn: sa.Connection, resource: Resource, why: str) -> None:
        """End a bind or a rotation that is going on; what it leaves is for the operation that comes."""
        if resource.binding in _GOING_ON and resource.binding_operation is not None:
            self._queue.cancel(conn, resource.app_subject, description=why, only=resource.binding_operation)

    def _usable(self, conn: sa.Connection, app: str, name: str) -> Resource:
        """As `_locked`, of an app that is there. Raises Refused as well."""
        self._check_there(conn, app)
        return self._locked(conn, app, name)

    def _check_there(self, conn: sa.Connection, app: str) -> None:
        if why := gone(self._store, conn, app):
            raise Refused(why)

    def _locked(self, conn: sa.Connection, app: str, name: str) -> Resource:
        resource = self._store.find(conn, app, name, lock=True)
        if resource is None:
            raise NoSuchResource(name)
        return resource


def _check_ready(resource: Resource) -> None:
    """Whether the instance can be changed. Raises Refused."""
    if resource.instance in (InstanceState.PROVISIONING, InstanceState.UPDATING):
        raise Refused("this resource instance is in progress")
    if resource.instance is not InstanceState.READY:
        raise Refused("the resource instance is not ready")
