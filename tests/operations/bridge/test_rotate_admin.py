"""Rotate the administrator's password: an update at the broker that no app notices."""

from __future__ import annotations

from pathlib import Path

import pytest

from helmbroker.controller_bridge.broker_port import BrokerError
from helmbroker.controller_bridge.model import BindingState, InstanceState
from helmbroker.controller_bridge.service import Refused
from helmbroker.controller_bridge.views import NoSuchResource
from helmbroker.durable import State
from tests.operations.bridge.world import APP, DB, OTHER_APP, World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def rotate(world: World, app: str = APP) -> str:
    return world.service.rotate_admin(app, DB, "bob").instance_operation


def test_the_broker_is_asked_for_another_password_and_the_app_keeps_what_it_has(world: World) -> None:
    before, had, ledger = world.bound(), world.environment(), world.ledger()
    operation = rotate(world)
    assert world.states() == (InstanceState.UPDATING, BindingState.READY)
    assert world.run(operation).state is State.SUCCEEDED
    assert world.message() == "The administrator's password of the instance was replaced"
    assert world.states() == (InstanceState.READY, BindingState.READY)
    thing = world.broker.instances[before.instance_id]
    assert thing.request == ("svc-pg", "plan-small", {"admin": {"rotation": operation}})
    assert ("update", "bob") in world.broker.callers
    assert (world.environment(), world.ledger(), world.resource().bindings) == (had, ledger, before.bindings)


def test_each_asks_for_another_one(world: World) -> None:
    instance = world.created().instance_id
    asked = []
    for _ in range(2):
        world.run(rotate(world))
        asked.append(world.broker.instances[instance].parameters["admin"])
    assert asked[0] != asked[1]


def test_a_failure_is_told_and_leaves_what_was(world: World) -> None:
    world.bound()
    world.broker.fails["update"] = "no login at the server. The instance runs again what it ran before."
    assert world.run(rotate(world)).state is State.FAILED
    seen = world.service.look(APP, DB)
    assert (seen.message, seen.failed) == (world.broker.fails["update"], True)
    assert world.states() == (InstanceState.READY, BindingState.READY)


def test_a_plan_that_does_not_offer_it_is_not_asked(world: World) -> None:
    world.run(world.create(plan="large").instance_operation)
    assert world.run(rotate(world)).state is State.FAILED
    assert world.message() == (
        "the plan postgresql:large cannot rotate its administrator's password: in the broker's catalog its schema "
        "of updates has no admin.rotation"
    )
    assert "update" not in world.broker.calls
    assert world.resource().instance is InstanceState.READY


def test_a_busy_instance_is_waited_for(world: World) -> None:
    world.created()
    busy = iter([True, False])

    def before(method: str) -> None:
        if method == "update" and next(busy):
            raise BrokerError(422, "ConcurrencyError", "another operation is in progress")

    world.broker.before = before
    assert world.run(rotate(world)).state is State.SUCCEEDED


def test_what_has_no_instance_of_its_own_or_none_yet_is_refused(world: World) -> None:
    with pytest.raises(NoSuchResource):
        rotate(world)
    world.shared()
    with pytest.raises(Refused, match=rf"^the resource instance is that of {OTHER_APP}/{DB}: rotate that$"):
        rotate(world)
    operation = rotate(world, OTHER_APP)
    with pytest.raises(Refused, match=r"^this resource instance is in progress$"):
        rotate(world, OTHER_APP)
    world.run(operation)
    assert world.resource(app=OTHER_APP).instance is InstanceState.READY
