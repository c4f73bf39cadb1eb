"""Resources of several brokers: each remembers its own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from helmbroker.controller_bridge.broker_port import Unreachable
from helmbroker.controller_bridge.brokers import Brokers
from helmbroker.controller_bridge.model import InstanceState
from helmbroker.controller_bridge.operations.handlers import handlers
from helmbroker.controller_bridge.operations.work import Pace, Ports
from helmbroker.controller_bridge.service import NewResource
from tests.fakes.osb_broker import POSTGRESQL, FakeBroker
from tests.operations.bridge.world import APP, DB, SEALER, World


@pytest.fixture
def team() -> FakeBroker:
    """Another broker that offers PostgreSQL, by other ids."""
    made = FakeBroker(looks=1)
    plans = tuple(replace(plan, id=f"team-{plan.id}") for plan in POSTGRESQL.plans)
    made.offerings = (replace(POSTGRESQL, id="team-pg", plans=plans), replace(POSTGRESQL, id="k", name="kafka"))
    made.credentials_of = lambda _: {"uri": "postgres://team"}
    return made


@pytest.fixture
def world(tmp_path: Path, team: FakeBroker) -> World:
    made = World(tmp_path)
    brokers = Brokers(made.each_broker | {"team": team})
    made.hand.worker.handlers = handlers(Ports(made.store, brokers, made.apps, SEALER, Pace(0.0, 0.0), 0.0))
    return made


def create(world: World, service: str) -> None:
    new = NewResource(APP, DB, service, "small", {})
    world.run(world.service.create(new, "alice").instance_operation)


def test_a_whole_life_at_another_broker(world: World, team: FakeBroker) -> None:
    create(world, "team/postgresql")
    made = world.resource()
    assert (made.broker, made.service_id, made.plan_id) == ("team", "team-pg", "team-plan-small")
    assert (made.plan_name, made.service_class) == ("team/postgresql:small", "postgresql")
    world.run(world.service.bind(APP, DB, "alice").binding_operation)
    assert world.environment() == {"MY_DB_URI": "postgres://team"}
    assert world.apps.apps[APP].offered["my-db-binding"]["type"] == "postgresql"
    update = world.service.update(APP, DB, "team/postgresql:large", {}, "alice")
    world.run(update.instance_operation)
    assert world.resource().plan_id == "team-plan-large"
    world.run(world.service.unbind(APP, DB, "alice").binding_operation)
    world.service.destroy(APP, DB, "alice")
    world.run(world.resource().instance_operation)
    assert (team.instances, team.bindings) == ({}, {})
    assert set(world.broker.calls) == {"catalog"}


def test_a_name_that_only_one_has_needs_no_more(world: World) -> None:
    create(world, "kafka")
    assert (world.resource().broker, world.resource().plan_name) == ("team", "kafka:small")


def test_an_ambiguous_name_fails_with_the_cure(world: World) -> None:
    create(world, "postgresql")
    assert world.resource().instance is InstanceState.FAILED
    assert world.message() == (
        "more than one broker offers a service 'postgresql': say default/postgresql or team/postgresql"
    )


def test_who_is_away_is_waited_for_when_he_may_have_it(world: World, team: FakeBroker) -> None:
    waits: list[str] = []

    def away(_method: str) -> None:
        if len(waits) < 2:
            waits.append(world.message())
            raise Unreachable("the broker at team does not answer")

    team.before = away
    create(world, "kafka")
    assert world.resource().instance is InstanceState.READY
    assert waits[1] == "the broker at team does not answer; trying again (create, step 1 of 4: resolve)"


def test_who_is_away_hinders_no_other(world: World, team: FakeBroker) -> None:
    def away(_method: str) -> None:
        raise Unreachable("the broker at team does not answer")

    team.before = away
    create(world, "default/postgresql")
    assert world.resource().broker == "default"
    world.run(world.service.bind(APP, DB, "alice").binding_operation)
    world.run(world.service.rotate(APP, DB, "alice").binding_operation)
    assert "MY_DB_URI" in world.environment()
