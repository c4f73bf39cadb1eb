"""Unbind, and a bind that is stopped by it."""

from __future__ import annotations

from pathlib import Path

import pytest

from helmbroker.controller_bridge.model import BindingState, InstanceState
from helmbroker.controller_bridge.service import Refused
from helmbroker.durable import Shutdown, State
from tests.operations.bridge.world import APP, DB, World
from tests.operations.harness import Case, assert_same_end

READY = InstanceState.READY


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def unbind(world: World) -> str:
    operation = world.service.unbind(APP, DB, "alice").binding_operation
    assert operation is not None
    return operation


def test_the_app_loses_the_credentials_before_they_end(world: World) -> None:
    world.bound()
    order: list[str] = []
    world.broker.before = order.append
    world.apps.before = lambda method, _app: order.append(method)
    operation = unbind(world)
    assert world.states() == (READY, BindingState.UNBINDING)
    assert world.run(operation).state is State.SUCCEEDED
    assert world.states() == (READY, BindingState.UNBOUND)
    assert world.environment() == {}
    assert world.broker.bindings == {}
    assert order.index("settle") < order.index("unbind")
    assert world.ledger()[-1] == (3, "succeeded", [])


def test_a_disturbance_anywhere_changes_nothing(tmp_path: Path) -> None:
    def make() -> Case:
        world = World(tmp_path)
        world.bound()
        return world.case(unbind(world))

    assert_same_end(make)


def test_an_app_that_needs_the_credentials_keeps_them(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.bound()
    world.apps._breaks = lambda variables: None if variables else "process type web: DB is not set"
    assert world.run(unbind(world)).state is State.FAILED
    assert world.message() == "app release v3 failed: process type web: DB is not set"
    assert world.states() == (READY, BindingState.READY)
    assert len(world.broker.bindings) == 1
    assert "MY_DB_URI" in world.environment()
    assert [state for _, state, _ in world.ledger()] == ["succeeded", "succeeded", "failed", "succeeded"]


def test_the_app_may_be_gone(world: World) -> None:
    world.bound()
    del world.apps.apps[APP]
    assert world.run(unbind(world)).state is State.SUCCEEDED
    assert world.broker.bindings == {}


def test_the_app_may_go_while_it_rolls_out(world: World) -> None:
    world.bound()

    def remove(method: str, app: str) -> None:
        if method == "change_config":
            del world.apps.apps[app]

    world.apps.after = remove
    assert world.run(unbind(world)).state is State.SUCCEEDED
    assert world.broker.bindings == {}


def test_a_broker_that_cannot_is_asked_again_by_the_user(world: World) -> None:
    world.bound()
    world.broker.fails["unbind"] = "the job that drops the user failed"
    assert world.run(unbind(world)).state is State.FAILED
    assert world.states() == (READY, BindingState.UNBIND_FAILED)
    world.broker.fails.clear()
    assert world.run(unbind(world)).state is State.SUCCEEDED
    assert world.states() == (READY, BindingState.UNBOUND)


def test_what_is_not_bound_cannot_be_unbound(world: World) -> None:
    world.created()
    with pytest.raises(Refused, match=r"^the resource instance is not binding$"):
        unbind(world)


def test_twice_is_once(world: World) -> None:
    world.bound()
    assert unbind(world) == unbind(world)


@pytest.mark.parametrize("turns", [0, 1])
def test_a_bind_that_goes_on_is_stopped(world: World, turns: int) -> None:
    """Not begun yet, and waiting for a rollout."""
    world.created()
    world.apps.rolling_looks = 10**6
    binding = world.service.bind(APP, DB, "alice").binding_operation
    assert binding is not None
    if turns:
        ctx = world.hand.claim()
        assert ctx is not None

        def stop_after_change(method: str, _app: str) -> None:
            if method == "rollout":
                ctx.interrupt(Shutdown())

        world.apps.before = stop_after_change
        world.hand.worker.perform(ctx)
        world.apps.before = lambda _method, _app: None
    operation = unbind(world)
    world.apps.rolling_looks = 1
    assert world.run(operation).state is State.SUCCEEDED
    assert world.hand.operation(binding).state is State.CANCELLED
    assert world.states() == (READY, BindingState.UNBOUND)
    assert world.environment() == {}
    assert world.broker.bindings == {}
    assert all(state != "pending" or version == 2 for version, state, _ in world.ledger())
