"""Create: what the broker is asked, how it ends, what is left of a failure."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from helmbroker.controller_bridge.broker_port import BrokerError, Unreachable
from helmbroker.controller_bridge.model import BindingState, InstanceState
from helmbroker.controller_bridge.sealing import Sealer
from helmbroker.controller_bridge.service import NewResource
from helmbroker.durable import State
from helmbroker.sealing import Keys
from tests.fakes.kms import FakeKms
from tests.operations.bridge.world import APP, DB, World
from tests.operations.harness import Case, assert_same_end


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def sealed(world: World) -> list[str | None]:
    with world.store.reading() as conn:
        return list(conn.scalars(sa.text("SELECT sealed_options FROM resources")))


def test_it_becomes_ready(world: World) -> None:
    resource = world.create(**{"replicas": "2", "storage.size": "2Gi"})
    assert world.states() == (InstanceState.PROVISIONING, BindingState.UNBOUND)
    end = world.run(resource.instance_operation)
    assert end.state is State.SUCCEEDED
    assert world.states() == (InstanceState.READY, BindingState.UNBOUND)
    assert world.message() == "The instance was provisioned successfully"
    made = world.broker.instances[resource.instance_id]
    assert made.request == ("svc-pg", "plan-small", {"replicas": 2, "storage": {"size": "2Gi"}})
    assert ("provision", "alice") in world.broker.callers


def test_a_disturbance_anywhere_changes_nothing(tmp_path: Path) -> None:
    def make() -> Case:
        world = World(tmp_path)
        return world.case(world.create(replicas="2").instance_operation)

    assert_same_end(make)


def test_keys_that_are_away_are_waited_for(tmp_path: Path) -> None:
    kms = FakeKms("1")
    world = World(tmp_path, sealer=Sealer(Keys(kms)))
    resource = world.create(password="canary-7f3a")
    kms.away = True
    for _ in range(20):
        world.hand.pass_time()
        world.hand.turn()
    waiting = world.hand.operation(resource.instance_operation)
    assert (waiting.state, waiting.attempt) == (State.QUEUED, 0)
    assert "the key service does not answer" in world.message()
    kms.away = False
    assert world.run(resource.instance_operation).state is State.SUCCEEDED


def test_options_are_sealed_and_then_forgotten(world: World) -> None:
    resource = world.create(password="canary-7f3a")
    assert sealed(world)[0] is not None
    assert "canary" not in str(sealed(world)[0])
    seen: list[str | None] = []
    world.broker.before = lambda method: seen.extend(sealed(world)) if method == "instance_status" else None
    world.run(resource.instance_operation)
    assert set(seen) == {None}
    assert world.broker.instances[resource.instance_id].parameters == {"password": "canary-7f3a"}


@pytest.mark.parametrize(
    ("plan", "service", "sentence"),
    [
        ("huge", "postgresql", "the service postgresql has no plan 'huge'"),
        ("small", "mysql", "the broker offers no service 'mysql'"),
    ],
)
def test_what_the_broker_does_not_offer_fails(world: World, plan: str, service: str, sentence: str) -> None:
    resource = world.service.create(NewResource(APP, DB, service, plan, {"a": "b"}), "alice")
    end = world.run(resource.instance_operation)
    assert end.state is State.FAILED
    assert sentence in world.message()
    assert world.states() == (InstanceState.FAILED, BindingState.UNBOUND)
    assert "provision" not in world.broker.calls
    assert "deprovision" not in world.broker.calls
    assert sealed(world) == [None]


def test_a_refusal_is_told_with_the_broker_s_words(world: World) -> None:
    def refuse(method: str) -> None:
        if method == "provision":
            raise BrokerError(400, "InvalidParameters", "replicas: 0 is less than 1")

    world.broker.before = refuse
    world.run(world.create().instance_operation)
    assert world.message() == "the broker answered 400 InvalidParameters: replicas: 0 is less than 1"
    assert world.resource().instance is InstanceState.FAILED


def test_a_failed_instance_is_deleted_and_its_reason_kept(world: World) -> None:
    world.broker.fails["provision"] = "quota exceeded: requests.storage"
    end = world.run(world.create().instance_operation)
    assert end.state is State.FAILED
    assert world.message() == "quota exceeded: requests.storage"
    assert world.broker.instances == {}
    assert ("deprovision", None) in world.broker.callers  # orphan mitigation is nobody's wish (OSB item 119)


def test_a_crash_while_it_is_undone_keeps_the_reason(tmp_path: Path) -> None:
    for method in ("deprovision", "instance_status"):
        world = World(tmp_path)
        world.broker.fails["provision"] = "quota exceeded"
        died: list[str] = []

        def die(called: str, method: str = method, world: World = world, died: list[str] = died) -> None:
            if called == method and "deprovision" in world.broker.calls and not died:
                died.append(called)
                raise Unreachable("the broker at broker:80 does not answer")

        world.broker.before = die
        end = world.run(world.create().instance_operation)
        assert died
        assert (end.state, world.message()) == (State.FAILED, "quota exceeded")
        assert world.broker.instances == {}


def test_a_broker_that_does_not_answer_is_asked_again(world: World) -> None:
    silent = iter([True] * 20)

    def hang(method: str) -> None:
        if method == "provision" and next(silent, False):
            raise Unreachable("the broker at broker:80 does not answer")

    world.broker.before = hang
    operation = world.create().instance_operation
    world.hand.turn()
    assert (
        world.message() == "the broker at broker:80 does not answer; trying again (create, step 2 of 4: provision)"
    )
    assert world.run(operation).state is State.SUCCEEDED


def test_an_answer_that_got_lost_makes_no_second_instance(world: World) -> None:
    lost = iter([True])

    def lose(method: str) -> None:
        if method == "provision" and next(lost, False):
            raise Unreachable("the broker at broker:80 does not answer")

    world.broker.after = lose
    assert world.run(world.create().instance_operation).state is State.SUCCEEDED
    assert len(world.broker.instances) == 1


def test_a_busy_broker_is_waited_for(world: World) -> None:
    busy = iter([True, True])

    def refuse(method: str) -> None:
        if method == "provision" and next(busy, False):
            raise BrokerError(422, "ConcurrencyError", "busy")

    world.broker.before = refuse
    assert world.run(world.create().instance_operation).state is State.SUCCEEDED


def test_there_is_time_left_for_undoing(world: World) -> None:
    def slow_only_to_provision(method: str) -> None:
        world.broker.looks = 0 if method == "deprovision" else 10**6

    world.broker.before = slow_only_to_provision
    operation = world.create().instance_operation
    world.shorten(operation, to_s=100)
    assert world.run(operation).state is State.FAILED
    assert world.message().startswith("it took too long: ")
    assert "deprovision" in world.broker.calls
    assert world.broker.instances == {}


def test_progress_is_told_while_it_goes_on(world: World) -> None:
    told: list[str] = []
    world.broker.looks = 3
    world.broker.before = lambda method: told.append(world.message()) if method == "instance_status" else None
    world.run(world.create().instance_operation)
    assert told[1:] == [f"{number} more looks (create, step 4 of 4: await)" for number in (3, 2, 1)]
