"""Every operation of the platform side, as it waits for its worker: rows of the table in test_everywhere.py."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import cast

from helmbroker.controller_bridge.apps.port import AppReleaseError, AppReleases, AppsUnavailable
from helmbroker.controller_bridge.broker_port import Broker, BrokerError, Unreachable
from helmbroker.controller_bridge.model import Kind
from helmbroker.controller_bridge.operations.handlers import handlers
from helmbroker.controller_bridge.operations.work import Pace, Ports
from helmbroker.controller_bridge.service import NoSuchResource, Refused
from helmbroker.durable import State
from tests.operations.bridge.world import APP, DB, SEALER, World
from tests.operations.course import Context, Course, Memory, Moment, Place, Rows, Watched
from tests.operations.sweep import How, Trial


def create(world: World) -> str:
    return world.create(size="2Gi").instance_operation


def failing_create(world: World) -> str:
    world.broker.fails["provision"] = "no space"
    return create(world)


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
    return world.service.rollback(APP, 1, "alice").id


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


ROWS: dict[str, Row] = {
    "create": Row(Kind.CREATE, create),
    "failing create": Row(Kind.CREATE, failing_create, State.FAILED),
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
    "rollback": Row(Kind.ROLLBACK, rollback),
    "release": Row(Kind.RELEASE, release),
    "broken release": Row(Kind.RELEASE, broken_release, State.FAILED),
}


# kinds that are proved elsewhere: where, and why not here
ELSEWHERE: dict[str, str] = {}


class BridgeTrial(Trial):
    """One row in one world."""

    def __init__(self, world: World, row: Row) -> None:
        self.world, self.hand, self.course = world, world.hand, Course()
        self.operation_id = row.begin(world)
        assert self.hand.operation(self.operation_id).kind == row.kind
        self.can_be_cancelled, self._stop = row.stopped_by is not None, row.stopped_by
        self.hand.claims = Context
        broker = cast("Broker", Watched(world.broker, "broker", self.course))
        apps = cast("AppReleases", Watched(world.apps, "apps", self.course))
        self.hand.worker.handlers = handlers(Ports(world.store, broker, apps, SEALER, Pace(0.0, 0.0), 0.0))
        self._rows = Rows(world.store.engine)
        self._memory = Memory(world.broker, world.apps)

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
        groups = world.apps.releases(APP)
        config = groups[0].config if groups else {}
        return [*world.broker.instances, *world.broker.bindings, *world.environment(), *world.offered(), *config]

    def only_removable(self, place: Place, how: How) -> bool:
        """A request that was frozen on its way and arrives when all is undone: OSB knows no fence against it."""
        late = place.moment is Moment.BEFORE and place.what in {"broker.provision", "broker.bind"}
        return late and how is How.TAKEN_OVER

    def away(self, port: str) -> Exception | None:
        return Unreachable("lost") if port == "broker" else AppsUnavailable("lost")

    def refuses(self, port: str) -> Exception | None:
        return BrokerError(400, "BadRequest", "no") if port == "broker" else AppReleaseError("no")
