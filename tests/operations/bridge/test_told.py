"""What users are told while an operation goes on: at which step it is, and at which attempt."""

from __future__ import annotations

from pathlib import Path

import pytest

from helmbroker.controller_bridge.broker_port import BrokerError, Unreachable
from helmbroker.controller_bridge.model import Kind
from helmbroker.controller_bridge.operations.progress import TABLES, WAYS_BACK, described, standing
from helmbroker.controller_bridge.wiring import service_brokers
from helmbroker.durable import State
from helmbroker.status.standing import Standing
from tests.operations.bridge.trials import ROWS, Row
from tests.operations.bridge.world import World
from tests.operations.harness import Dies, Disturbed


class Listening(Disturbed):
    """A claim that notes where the operation stands, as a user sees it, whenever a step begins."""

    heard: list[Standing]

    def begin(self, step: str) -> None:
        super().begin(step)
        with self.queue.engine.connect() as conn:
            row = self.queue.get(conn, self.operation.id)
        where = None if row is None else standing(row)
        assert where is not None
        assert where.step == step
        if where not in self.heard:
            self.heard.append(where)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def heard(world: World, row: Row) -> list[Standing]:
    """Where the operation stood from its begin to its end."""
    told: list[Standing] = []
    operation_id = row.begin(world)
    world.hand.claims = type("Claim", (Listening,), {"heard": told})
    assert world.run(operation_id).state is row.state
    return told


def test_every_kind_has_a_table() -> None:
    assert set(TABLES) == set(Kind)
    assert set(WAYS_BACK) < set(Kind)


@pytest.mark.parametrize("name", ROWS)
def test_every_step_is_told(world: World, name: str) -> None:
    """Each by its name and number, also those of the way back."""
    row = ROWS[name]
    told = heard(world, row)
    for way_back, tables in ((False, TABLES), (True, WAYS_BACK)):
        steps = [step.name for step in tables.get(row.kind, ())]
        those = [each for each in told if each.way_back is way_back]
        assert [(each.number, each.step) for each in those] == list(enumerate(steps, 1))[: len(those)]
        assert {each.steps for each in those} <= {len(steps)}
    assert any(each.way_back for each in told) is (
        row.state is State.FAILED
        and name not in {"failing unbind", "failing rotate", "failing rotate admin", "failing update"}
    )


def test_the_message_of_a_resource_ends_with_the_step(world: World) -> None:
    created = world.create()
    assert world.message() == "waiting for its turn"
    world.broker.before = unreachable
    assert world.hand.turn()
    assert world.message() == "lost; trying again (create, step 1 of 4: resolve)"
    world.broker.before = lambda _method: None
    world.run(created.instance_operation)
    assert world.message() == "The instance was provisioned successfully"


def test_a_worker_that_dies_costs_an_attempt_that_is_told(world: World) -> None:
    created = world.create()
    world.broker.before = dies
    with pytest.raises(Dies):
        world.hand.turn()
    world.hand.pass_time()
    with pytest.raises(Dies):
        world.hand.turn()
    operation = world.hand.operation(created.instance_operation)
    assert described(operation) == "waiting for its turn (create, step 1 of 4: resolve; attempt 2 of 8)"


def test_the_way_back_is_told(world: World) -> None:
    world.broker.fails["provision"] = "no space"
    world.create()

    def away(method: str) -> None:
        if method == "deprovision":
            unreachable(method)

    world.broker.before = away
    assert world.hand.turn()
    assert world.message() == "lost; trying again (create, step 1 of 2 of the way back: remove)"


def unreachable(_method: str) -> None:
    raise Unreachable("lost")


def dies(_method: str) -> None:
    raise Dies


def test_a_worker_is_not_ready_without_its_service_broker(world: World) -> None:
    assert service_brokers(world.brokers)() is None
    world.broker.before = unreachable
    assert service_brokers(world.brokers)() == "the service broker cannot be used: lost"

    def refuse(_method: str) -> None:
        raise BrokerError(401, "Unauthorized", "no such user")

    world.broker.before = refuse
    assert "no such user" in str(service_brokers(world.brokers)())
