"""Every operation of the platform side, as it waits for its worker: rows of the table in test_everywhere.py."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import cast

import sqlalchemy as sa

from helmbroker.controller_bridge.apps.port import AppReleaseError, AppsUnavailable
from helmbroker.controller_bridge.beginning import begin_revocation
from helmbroker.controller_bridge.broker_port import DEFAULT, EXTERNAL, Broker, BrokerError, Unreachable
from helmbroker.controller_bridge.brokers import Brokers
from helmbroker.controller_bridge.model import Kind
from helmbroker.controller_bridge.operations.handlers import handlers
from helmbroker.controller_bridge.operations.work import Pace, Ports
from helmbroker.controller_bridge.service import NewResource, Refused
from helmbroker.controller_bridge.views import NoSuchResource
from helmbroker.durable import JSON, State
from tests.operations.bridge.world import APP, DB, OTHER_APP, SEALER, World
from tests.operations.course import Context, Course, Moment, Place, Rows, Watched
from tests.operations.sweep import How, Trial


def create(world: World) -> str:
    return world.create(size="2Gi").instance_operation


def failing_create(world: World) -> str:
    world.broker.fails["provision"] = "no space"
    return create(world)


def _update(world: World) -> str:
    world.bound()
    return world.service.update(APP, DB, "postgresql:large", {"replicas": "3"}, "alice").instance_operation


def _failing_update(world: World) -> str:
    world.broker.fails["update"] = "no space"
    return _update(world)


def _idle_update(world: World) -> str:
    """Nothing is bound, so that the resource can be destroyed meanwhile."""
    world.created()
    return world.service.update(APP, DB, "postgresql:large", {}, "alice").instance_operation


def _bind(world: World) -> str:
    world.created()
    return str(world.service.bind(APP, DB, "alice").binding_operation)


def failing_bind(world: World) -> str:
    """The broker cannot make it."""
    world.broker.fails["bind"] = "no more users"
    return _bind(world)


def broken_bind(world: World) -> str:
    """The app does not come up with it."""
    world.broker.credentials_of = lambda _: {"uri": "postgres://x", "port": 666}
    return _bind(world)


def unbind(world: World) -> str:
    world.bound()
    return str(world.service.unbind(APP, DB, "alice").binding_operation)


def failing_unbind(world: World) -> str:
    world.bound()
    world.broker.fails["unbind"] = "the user owns tables"
    return str(world.service.unbind(APP, DB, "alice").binding_operation)


def destroy(world: World) -> str:
    world.created()
    world.service.destroy(APP, DB, "alice")
    return world.resource().instance_operation


def rollback(world: World) -> str:
    world.bound()
    return world.service.releasing.rollback(APP, world.first, "alice").id


def reinject(world: World) -> str:
    """A build has taken the credentials."""
    world.bound()
    world.lose_credentials()
    with world.store.writing() as conn:
        world.service.releasing.reinject(conn, APP, "3")
        return str(conn.scalar(sa.text("SELECT id FROM operations WHERE kind = 'reinject'")))


def broken_reinject(world: World) -> str:
    """The app does not come up with them any more."""
    operation_id = reinject(world)
    world.broker.credentials_of = lambda _: {"uri": "postgres://x", "port": 666}
    return operation_id


def release(world: World, image: str = "shop:2") -> str:
    def deploy(key: str) -> int | None:
        return world.apps.deploy(APP, {"web": image}, author="alice", summary="why", key=key)

    world.service.releasing.begin(world.apps, APP, "alice", deploy)
    return world.apps.releases(APP)[0].key


def broken_release(world: World) -> str:
    """The app does not come up with it."""
    return release(world, "missing:1")


def _rotate(world: World, *, now: bool = False) -> str:
    world.bound()
    return str(world.service.rotate(APP, DB, "alice", now=now).binding_operation)


def _rotate_now(world: World) -> str:
    return _rotate(world, now=True)


def broken_rotate(world: World) -> str:
    """The app does not come up with what it gets."""
    world.bound()
    old = str(world.resource().binding_id)
    world.broker.credentials_of = lambda id_: {"uri": f"postgres://{id_}", "port": 5432 if id_ == old else 666}
    return str(world.service.rotate(APP, DB, "alice").binding_operation)


def failing_rotate(world: World) -> str:
    """The old credentials cannot be revoked."""
    world.bound()
    world.broker.fails["unbind"] = "the user owns tables"
    return str(world.service.rotate(APP, DB, "alice").binding_operation)


def _revoke(world: World) -> str:
    """What a rotation has left."""
    world.run(failing_rotate(world))
    world.broker.fails.clear()
    with world.store.writing() as conn:
        begin_revocation(conn, world.store, world.resource(), 1)
    return str(world.resource().binding_operation)


def _rotate_admin(world: World) -> str:
    world.bound()
    return world.service.rotate_admin(APP, DB, "alice").instance_operation


def _idle_rotate_admin(world: World) -> str:
    """Nothing is bound, so that the resource can be destroyed meanwhile."""
    world.created()
    return world.service.rotate_admin(APP, DB, "alice").instance_operation


def failing_rotate_admin(world: World) -> str:
    """At the broker, which undoes it."""
    world.broker.fails["update"] = "the server does not answer"
    return _rotate_admin(world)


def _bind_shared(world: World) -> str:
    world.shared()
    return str(world.service.bind(APP, DB, "alice").binding_operation)


def broken_bind_shared(world: World) -> str:
    world.broker.credentials_of = lambda _: {"uri": "postgres://x", "port": 666}
    return _bind_shared(world)


def _unbind_shared(world: World) -> str:
    world.run(_bind_shared(world))
    return str(world.service.unbind(APP, DB, "alice").binding_operation)


def _rotate_shared(world: World) -> str:
    world.run(_bind_shared(world))
    return str(world.service.rotate(APP, DB, "alice").binding_operation)


def destroy_shared(world: World) -> str:
    """Only the resource goes."""
    world.shared()
    return _destroy_it(world)


def create_external(world: World) -> str:
    asked = NewResource(APP, DB, "external", "credentials", {"uri": "postgres://one"})
    return world.service.create(asked, "alice").instance_operation


def bind_external(world: World) -> str:
    world.elsewhere()
    return str(world.service.bind(APP, DB, "alice").binding_operation)


def broken_bind_external(world: World) -> str:
    world.elsewhere(uri="postgres://one", port="666")
    return str(world.service.bind(APP, DB, "alice").binding_operation)


def unbind_external(world: World) -> str:
    world.run(bind_external(world))
    return _unbind_it(world)


def update_external(world: World) -> str:
    """Of an app that has the credentials: a rotation waits for its turn then."""
    world.run(bind_external(world))
    two: dict[str, JSON] = {"uri": "postgres://two"}
    return world.service.update(APP, DB, "external:credentials", two, "alice").instance_operation


def rotate_external(world: World) -> str:
    world.run(update_external(world))
    return str(world.resource().binding_operation)


def broken_rotate_external(world: World) -> str:
    world.run(bind_external(world))
    world.run(world.service.update(APP, DB, "external:credentials", {"port": "666"}, "alice").instance_operation)
    return str(world.resource().binding_operation)


def destroy_external(world: World) -> str:
    world.elsewhere()
    return _destroy_it(world)


def _rotate_it_now(world: World) -> str:
    return str(world.service.rotate(APP, DB, "alice", now=True).binding_operation)


def _unbind_it(world: World) -> str:
    return str(world.service.unbind(APP, DB, "alice").binding_operation)


def _destroy_it(world: World) -> str:
    world.service.destroy(APP, DB, "alice")
    return world.resource().instance_operation


@dataclass(frozen=True)
class Row:
    """How the operation comes to wait, how it ends in peace, and what stops it."""

    kind: Kind
    begin: Callable[[World], str]
    state: State = State.SUCCEEDED
    stopped_by: Callable[[World], str] | None = None
    broker: str = DEFAULT


ROWS: dict[str, Row] = {
    "create": Row(Kind.CREATE, create),
    "failing create": Row(Kind.CREATE, failing_create, State.FAILED),
    "update": Row(Kind.UPDATE, _update),
    "update, destroyed meanwhile": Row(Kind.UPDATE, _idle_update, stopped_by=_destroy_it),
    "failing update": Row(Kind.UPDATE, _failing_update, State.FAILED),
    "bind": Row(Kind.BIND, _bind, stopped_by=_unbind_it),
    "bind, destroyed meanwhile": Row(Kind.BIND, _bind, stopped_by=_destroy_it),
    "failing bind": Row(Kind.BIND, failing_bind, State.FAILED, _unbind_it),
    "broken bind": Row(Kind.BIND, broken_bind, State.FAILED, _unbind_it),
    "unbind": Row(Kind.UNBIND, unbind),
    "failing unbind": Row(Kind.UNBIND, failing_unbind, State.FAILED),
    "destroy": Row(Kind.DESTROY, destroy),
    "rotate": Row(Kind.ROTATE, _rotate, stopped_by=_unbind_it),
    "rotate, at once meanwhile": Row(Kind.ROTATE, _rotate, stopped_by=_rotate_it_now),
    "broken rotate": Row(Kind.ROTATE, broken_rotate, State.FAILED, _unbind_it),
    "failing rotate": Row(Kind.ROTATE, failing_rotate, State.FAILED),
    "rotate at once": Row(Kind.ROTATE_NOW, _rotate_now, stopped_by=_unbind_it),
    "revoke": Row(Kind.REVOKE, _revoke, stopped_by=_unbind_it),
    "revoke, at once meanwhile": Row(Kind.REVOKE, _revoke, stopped_by=_rotate_it_now),
    "rotate admin": Row(Kind.ROTATE_ADMIN, _rotate_admin),
    "rotate admin, destroyed meanwhile": Row(Kind.ROTATE_ADMIN, _idle_rotate_admin, stopped_by=_destroy_it),
    "failing rotate admin": Row(Kind.ROTATE_ADMIN, failing_rotate_admin, State.FAILED),
    "rollback": Row(Kind.ROLLBACK, rollback),
    "reinject": Row(Kind.REINJECT, reinject),
    "broken reinject": Row(Kind.REINJECT, broken_reinject, State.FAILED),
    "release": Row(Kind.RELEASE, release),
    "broken release": Row(Kind.RELEASE, broken_release, State.FAILED),
    "bind, shared": Row(Kind.BIND, _bind_shared, stopped_by=_unbind_it),
    "broken bind, shared": Row(Kind.BIND, broken_bind_shared, State.FAILED, _unbind_it),
    "unbind, shared": Row(Kind.UNBIND, _unbind_shared),
    "rotate, shared": Row(Kind.ROTATE, _rotate_shared, stopped_by=_unbind_it),
    "destroy, shared": Row(Kind.DESTROY, destroy_shared),
    "create, external": Row(Kind.CREATE, create_external, broker=EXTERNAL),
    "bind, external": Row(Kind.BIND, bind_external, stopped_by=_unbind_it, broker=EXTERNAL),
    "broken bind, external": Row(Kind.BIND, broken_bind_external, State.FAILED, _unbind_it, EXTERNAL),
    "unbind, external": Row(Kind.UNBIND, unbind_external, broker=EXTERNAL),
    "update, external": Row(Kind.UPDATE, update_external, broker=EXTERNAL),
    "rotate, external": Row(Kind.ROTATE, rotate_external, stopped_by=_unbind_it, broker=EXTERNAL),
    "broken rotate, external": Row(Kind.ROTATE, broken_rotate_external, State.FAILED, _unbind_it, EXTERNAL),
    "destroy, external": Row(Kind.DESTROY, destroy_external, broker=EXTERNAL),
}


# kinds that are proved elsewhere: where, and why not here
ELSEWHERE: dict[str, str] = {}


_UNFENCED = frozenset({"broker.provision", "broker.bind", "controller.change", "controller.roll_back"})


class BridgeTrial(Trial):
    """One row in one world."""

    def __init__(self, world: World, row: Row) -> None:
        self.world, self.hand, self.course = world, world.hand, Course()
        self.operation_id = row.begin(world)
        assert self.hand.operation(self.operation_id).kind == row.kind
        self.can_be_cancelled, self._stop = row.stopped_by is not None, row.stopped_by
        self.hand.claims = Context
        watched = cast("Broker", Watched(world.each_broker[row.broker], "broker", self.course))
        broker = Brokers(world.each_broker | {row.broker: watched})
        apps = world.watched_apps(self.course)
        self.hand.worker.handlers = handlers(Ports(world.store, broker, apps, SEALER, Pace(0.0, 0.0), 0.0))
        self._rows = Rows(world.store.engine)
        self._memory = world.memory()

    def put_back(self) -> None:
        self._rows.put_back()
        self._memory.put_back()

    def observe(self) -> object:
        return self.world.observe()

    def cancel(self) -> str | None:
        assert self._stop is not None
        with suppress(Refused):  # it has ended
            return self._stop(self.world)
        return None

    def remove(self) -> object:
        """What a user can do: unbind, destroy; again, when it was refused before."""
        self.world.broker.fails.clear()
        world = self.world
        with suppress(NoSuchResource):
            if world.resource().binding_id is not None:
                world.run(world.service.unbind(APP, DB, "alice").binding_operation)
            world.service.destroy(APP, DB, "alice")
            world.run(world.resource().instance_operation)
            world.resource()
            return "the resource"
        with suppress(NoSuchResource):  # of a sharing resource the instance is the other app's
            world.service.destroy(OTHER_APP, DB, "alice")
            world.run(world.resource(app=OTHER_APP).instance_operation)
        at_brokers = [*world.broker.instances, *world.broker.bindings, *["kept"] * world.kept()]
        return [*at_brokers, *world.environment(), *world.offered(), *world.config()]

    def only_removable(self, place: Place, how: How) -> bool:
        """A request that was frozen on its way, and arrives when all is done or undone.

        OSB knows no fence against it, nor does a controller.
        """
        return place.moment is Moment.BEFORE and place.what in _UNFENCED and how is How.TAKEN_OVER

    def away(self, port: str) -> Exception | None:
        return Unreachable("lost") if port == "broker" else AppsUnavailable("lost")

    def refuses(self, port: str) -> Exception | None:
        return BrokerError(400, "BadRequest", "no") if port == "broker" else AppReleaseError("no")
