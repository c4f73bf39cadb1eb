"""The service that has the keys is away for a while: everything waits, nothing fails and nothing is lost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from helmbroker.broker.domain.errors import Unavailable
from helmbroker.durable import State
from helmbroker.sealing import Keys, KeysAway
from tests.fakes.kms import FakeKms
from tests.operations.broker import world as worlds
from tests.operations.broker.test_disturbed import BEGIN, clear
from tests.operations.broker.world import World
from tests.operations.harness import Hand


@pytest.fixture
def kms() -> FakeKms:
    return FakeKms("1")


@pytest.fixture
def world(tmp_path: Path, kms: FakeKms) -> Iterator[World]:
    """Its worker takes keys that are away for an outage, as the real one."""
    with worlds.world(f"sqlite:///{tmp_path / 'broker.db'}", keys=Keys(kms)) as made:
        worker = made.hand.worker
        made.hand = Hand(made.store.engine, made.hand.table, worker.handlers, transient=(Unavailable, KeysAway))
        yield made


@pytest.mark.parametrize("name", BEGIN)
def test_an_operation_outlasts_it(world: World, kms: FakeKms, name: str) -> None:
    operation = BEGIN[name](world)
    kms.away = True
    for _ in range(10):
        world.hand.pass_time()
        world.hand.turn()
    waiting = world.hand.operation(operation)
    assert (waiting.state, waiting.attempt) == (State.QUEUED, 0)
    assert "the keys are away" in waiting.description
    kms.away = False
    assert world.succeed(operation).attempt == 1


@pytest.mark.parametrize("name", BEGIN)
def test_it_may_begin_at_any_moment(world: World, kms: FakeKms, name: str) -> None:
    """Away once for each question that an operation has for it; what comes of it is the same."""
    operation, before = BEGIN[name](world), kms.answers
    world.succeed(operation)
    questions, expected = kms.answers - before, world.observe()
    clear(world)
    for number in range(1, questions + 1):
        operation = BEGIN[name](world)
        kms.lost = kms.answers + number
        world.succeed(operation)
        assert kms.answers > kms.lost
        assert world.observe() == expected, number
        clear(world)


def test_who_asks_is_told_to_try_again_and_nothing_is_kept(world: World, kms: FakeKms) -> None:
    kms.away = True
    with pytest.raises(Unavailable, match=r"the keys are away\. Try again"):
        world.provision()
    kms.away = False
    world.succeed(world.provision())
