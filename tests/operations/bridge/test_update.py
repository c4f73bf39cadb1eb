"""Update: another plan, more options, and what is there when it does not work."""

from __future__ import annotations

from pathlib import Path

import pytest

from helmbroker.controller_bridge.broker_port import BrokerError
from helmbroker.controller_bridge.model import BindingState, InstanceState, Resource
from helmbroker.controller_bridge.service import Refused
from helmbroker.durable import JSON, State
from tests.operations.bridge.world import APP, DB, World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def update(world: World, plan: str = "postgresql:large", **options: JSON) -> Resource:
    return world.service.update(APP, DB, plan, options, "bob")


def test_another_plan_and_more_options(world: World) -> None:
    world.bound()
    begun = update(world, **{"storage.size": "4Gi"})
    assert (begun.instance, begun.plan) == (InstanceState.UPDATING, "small")
    assert world.run(begun.instance_operation).state is State.SUCCEEDED
    resource = world.resource()
    assert (resource.plan, resource.plan_id) == ("large", "plan-large")
    assert world.states() == (InstanceState.READY, BindingState.READY)
    assert world.message() == "The instance was updated successfully"
    thing = world.broker.instances[resource.instance_id]
    assert thing.request == ("svc-pg", "plan-large", {"storage": {"size": "4Gi"}})
    assert ("update", "bob") in world.broker.callers


def test_options_are_typed_as_at_creation_and_forgotten(world: World) -> None:
    world.created()
    world.run(update(world, "postgresql:small", replicas="3").instance_operation)
    assert world.broker.instances[world.resource().instance_id].parameters == {"replicas": 3}
    with world.store.reading() as conn:
        assert world.store.sealed_options(conn, world.resource().uuid) is None


def test_what_is_there_already_may_be_asked_for(world: World) -> None:
    """It also is how an update that failed is tried again."""
    world.created()
    assert world.run(update(world, "postgresql:small").instance_operation).state is State.SUCCEEDED
    assert world.message() == "The instance was updated successfully"


def test_a_failed_update_leaves_what_was(world: World) -> None:
    world.created()
    world.broker.fails["update"] = "quota exceeded: requests.storage"
    assert world.run(update(world).instance_operation).state is State.FAILED
    seen = world.service.look(APP, DB)
    assert (seen.resource.plan, seen.resource.plan_id) == ("small", "plan-small")
    assert (seen.message, seen.failed) == ("quota exceeded: requests.storage", True)
    assert world.states() == (InstanceState.READY, BindingState.UNBOUND)


@pytest.mark.parametrize(("plan", "sentence"), [("huge", "the service postgresql has no plan 'huge'")])
def test_a_plan_that_is_not_offered(world: World, plan: str, sentence: str) -> None:
    world.created()
    world.run(update(world, f"postgresql:{plan}").instance_operation)
    assert sentence in world.message()
    assert "update" not in world.broker.calls
    assert world.resource().instance is InstanceState.READY


def test_a_plan_that_cannot_be_left(world: World) -> None:
    plans = world.broker.offerings[1].plans
    world.created()
    fixed = [type(plan)(**{**vars(plan), "updateable": False}) for plan in plans]
    offering = world.broker.offerings[1]
    world.broker.offerings = (type(offering)(**{**vars(offering), "plans": tuple(fixed)}),)
    world.run(update(world).instance_operation)
    assert world.message() == "an instance of the plan postgresql:small cannot change its plan"
    world.run(update(world, "postgresql:small", replicas="3").instance_operation)
    assert world.message() == "The instance was updated successfully"


def test_a_refusal_is_told_with_the_broker_s_words(world: World) -> None:
    world.created()

    def refuse(method: str) -> None:
        if method == "update":
            raise BrokerError(422, "PlanChangeNotSupported", "a smaller volume cannot be made")

    world.broker.before = refuse
    world.run(update(world).instance_operation)
    assert world.message() == "the broker answered 422 PlanChangeNotSupported: a smaller volume cannot be made"


@pytest.mark.parametrize("plan", ["redis:large", "postgresql", "postgresql:", ""])
def test_the_service_cannot_change(world: World, plan: str) -> None:
    world.created()
    with pytest.raises(Refused, match="the resource instance cann't changed"):
        update(world, plan)


def test_not_while_something_goes_on(world: World) -> None:
    world.create()
    with pytest.raises(Refused, match="this resource instance is in progress"):
        update(world)
    world.run(world.resource().instance_operation)
    update(world)
    with pytest.raises(Refused, match="this resource instance is in progress"):
        update(world)


def test_not_of_what_could_not_be_made(world: World) -> None:
    world.broker.fails["provision"] = "no space"
    world.run(world.create().instance_operation)
    with pytest.raises(Refused, match="the resource instance is not ready"):
        update(world)


def test_destroy_stops_it(world: World) -> None:
    world.created()
    begun = update(world)
    world.service.destroy(APP, DB, "alice")
    assert world.hand.operation(begun.instance_operation).state is State.CANCELLED
    world.run(world.resource().instance_operation)
    assert world.broker.instances == {}


def test_progress_is_told(world: World) -> None:
    world.created()
    told: list[str] = []
    world.broker.looks = 2
    world.broker.before = lambda method: told.append(world.message()) if method == "instance_status" else None
    world.run(update(world).instance_operation)
    assert told[1:] == [f"{number} more looks (update, step 4 of 4: await)" for number in (2, 1)]


def test_what_was_done_is_listed_newest_first(world: World) -> None:
    world.bound()
    world.bound("other-db")
    world.run(update(world).instance_operation)
    kinds = [str(each.kind) for each in world.service.operations(APP, DB, most=10)]
    assert kinds == ["update", "bind", "create"]
    assert len(world.service.operations(APP, DB, most=1)) == 1
