"""Work that is stopped in the middle of a command, by a real worker with threads."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import sqlalchemy as sa

from helmbroker.broker.domain.helm_errors import HelmError, HelmFault
from helmbroker.broker.worker import handlers
from helmbroker.durable import Operation, State, Worker
from tests.fakes.helm import Call
from tests.operations.broker.world import BINDING_RELEASE, RELEASE, World


class Ends:
    """How operations ended, for whoever waits for it."""

    def __init__(self) -> None:
        self._states: dict[str, State] = {}
        self._changed = threading.Condition()

    def note(self, _conn: sa.Connection, operation: Operation) -> None:
        with self._changed:
            self._states[operation.id] = operation.state
            self._changed.notify_all()

    def of(self, operation_id: str) -> State:
        with self._changed:
            assert self._changed.wait_for(lambda: operation_id in self._states, 20), "it does not end"
            return self._states[operation_id]


@contextmanager
def working(world: World) -> Iterator[Ends]:
    """A worker, for as long as the block lasts."""
    stop, ends = threading.Event(), Ends()
    every = handlers(world.store, world.tools)
    worker = Worker(world.store.queue, every, heartbeat_s=0.05, poll_s=0.02, on_finish=ends.note)
    thread = threading.Thread(target=worker.run, args=(stop, 1.0))
    thread.start()
    try:
        yield ends
    finally:
        stop.set()
        thread.join()


class Hanging:
    """Lets the first such command hang until it is stopped; then it leaves what a helm leaves that had no time."""

    def __init__(self, world: World, verb: str = "deploy") -> None:
        self.world, self.verb = world, verb
        self.begun = threading.Event()
        world.helm.waits = self

    def __call__(self, call: Call, stop: threading.Event) -> None:
        if call.verb == self.verb and not self.begun.is_set():
            self.begun.set()
            assert stop.wait(20), "nobody stopped it"
            self.world.helm.leave_half_way(call)
            raise HelmError(HelmFault.STOPPED, "")


@pytest.mark.osb(83)
def test_a_deletion_stops_a_running_provision(world: World) -> None:
    hanging = Hanging(world)
    provision = world.provision()
    with working(world) as ends:
        assert hanging.begun.wait(20)
        deprovision = world.deprovision()
        assert ends.of(deprovision) is State.SUCCEEDED
    stopped = world.hand.operation(provision)
    assert (stopped.state, stopped.description) == (State.CANCELLED, "stopped, because it is being removed")
    assert (world.cluster.releases, world.cluster.all()) == ({}, [])
    assert world.helm.verbs(RELEASE) == ["deploy", "uninstall"], "one after the other"


@pytest.mark.osb(83)
@pytest.mark.parametrize("way_back", [False, True], ids=["on the way there", "on the way back"])
def test_a_deletion_stops_a_running_update(world: World, way_back: bool) -> None:
    """There is no way back then: nothing of it is to stay."""
    world.succeed(world.provision())
    world.succeed(world.bind())
    hanging = Hanging(world, "rollback" if way_back else "deploy")
    update = world.update(text="changed", make="echo broken; exit 1" if way_back else "")
    with working(world) as ends:
        assert hanging.begun.wait(20)
        deprovision = world.deprovision()
        assert ends.of(deprovision) is State.SUCCEEDED
    stopped = world.hand.operation(update)
    assert (stopped.state, stopped.description) == (State.CANCELLED, "stopped, because it is being removed")
    assert (world.cluster.releases, world.cluster.all()) == ({}, [])
    verbs = ["deploy", "deploy", *(["rollback"] if way_back else []), "uninstall"]
    assert world.helm.verbs(RELEASE) == verbs


@pytest.mark.osb(113)
def test_an_unbind_stops_a_running_bind_and_nothing_else(world: World) -> None:
    world.succeed(world.provision())
    hanging = Hanging(world)
    bind = world.bind()
    with working(world) as ends:
        assert hanging.begun.wait(20)
        other = world.bind("another")
        unbind = world.unbind()
        assert ends.of(unbind) is State.SUCCEEDED
        assert ends.of(other) is State.SUCCEEDED
    assert world.hand.operation(bind).state is State.CANCELLED
    assert BINDING_RELEASE not in world.cluster.releases


def test_a_worker_that_ends_leaves_the_work_to_the_next(world: World) -> None:
    """A rolling update of the broker: what was interrupted goes on at once, and ends well."""
    hanging = Hanging(world)
    provision = world.provision()
    with working(world):
        assert hanging.begun.wait(20)
    interrupted = world.hand.operation(provision)
    assert (interrupted.state, interrupted.attempt) == (State.QUEUED, 0)
    with working(world) as ends:
        assert ends.of(provision) is State.SUCCEEDED
    assert world.helm.verbs(RELEASE) == ["deploy", "uninstall", "deploy"]
