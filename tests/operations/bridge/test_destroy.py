"""Destroy: the instance goes, after whatever is half bound; the name is free again."""

from __future__ import annotations

from pathlib import Path

import pytest

from helmbroker.controller_bridge.model import BindingState, InstanceState
from helmbroker.controller_bridge.service import NotUnique, Refused
from helmbroker.controller_bridge.views import NoSuchResource
from helmbroker.durable import State
from tests.operations.bridge.world import APP, DB, World
from tests.operations.harness import Case, assert_same_end


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def destroy(world: World) -> str:
    world.service.destroy(APP, DB, "alice")
    return world.resource().instance_operation


def test_the_instance_goes_and_the_name_is_free(world: World) -> None:
    world.created()
    operation = destroy(world)
    assert world.states() == (InstanceState.DEPROVISIONING, BindingState.UNBOUND)
    with pytest.raises(NotUnique):
        world.create()
    assert world.run(operation).state is State.SUCCEEDED
    assert world.broker.instances == {}
    with pytest.raises(NoSuchResource):
        world.resource()
    world.run(world.create().instance_operation)
    assert world.resource().instance is InstanceState.READY


def test_a_disturbance_anywhere_changes_nothing(tmp_path: Path) -> None:
    def make() -> Case:
        world = World(tmp_path)
        world.created()
        return world.case(destroy(world))

    assert_same_end(make)


def test_what_is_bound_or_made_stays(world: World) -> None:
    operation = world.create().instance_operation
    with pytest.raises(Refused, match=r"^the resource instance is provisioning$"):
        destroy(world)
    world.run(operation)
    world.run(world.service.bind(APP, DB, "alice").binding_operation)
    with pytest.raises(Refused, match=r"^the resource instance is still binding$"):
        destroy(world)


def test_a_failed_one_goes_without_the_broker_when_it_was_never_asked(world: World) -> None:
    world.run(world.create(plan="none").instance_operation)
    assert world.run(destroy(world)).state is State.SUCCEEDED
    assert "deprovision" not in world.broker.calls


def test_while_it_is_bound_it_is_unbound_first(world: World) -> None:
    world.created()
    binding = world.service.bind(APP, DB, "alice").binding_operation
    assert binding is not None
    world.apps.rolling_looks = 3
    operation = destroy(world)
    assert world.states() == (InstanceState.DEPROVISIONING, BindingState.UNBINDING)
    assert world.run(operation).state is State.SUCCEEDED
    assert world.hand.operation(binding).state is State.CANCELLED
    assert world.broker.bindings == {}
    assert world.broker.instances == {}


def test_a_binding_that_cannot_go_keeps_the_instance(world: World) -> None:
    world.created()
    world.service.bind(APP, DB, "alice")
    world.broker.fails["unbind"] = "the job that drops the user failed"
    binding = world.resource().binding_id
    world.broker._put(world.broker.bindings, f"{world.resource().instance_id}/{binding}", "svc-pg", "bind")
    assert world.run(destroy(world)).state is State.FAILED
    assert world.message() == "the binding could not be removed: the job that drops the user failed"
    assert world.states() == (InstanceState.DEPROVISION_FAILED, BindingState.UNBIND_FAILED)
    assert len(world.broker.instances) == 1
    world.broker.fails.clear()
    assert world.run(destroy(world)).state is State.SUCCEEDED
    assert world.broker.instances == {}
    assert world.broker.bindings == {}


def test_a_failure_of_the_broker_can_be_repeated(world: World) -> None:
    world.created()
    world.broker.fails["deprovision"] = "a volume is still in use"
    assert world.run(destroy(world)).state is State.FAILED
    assert world.states() == (InstanceState.DEPROVISION_FAILED, BindingState.UNBOUND)
    assert world.message() == "a volume is still in use"
    world.broker.fails.clear()
    assert world.run(destroy(world)).state is State.SUCCEEDED


def test_twice_is_once(world: World) -> None:
    world.created()
    assert destroy(world) == destroy(world)
