"""An instance and its bindings can be deleted, whatever was done with them before."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from helmbroker.broker.domain.operation import Phase
from tests.operations.broker.states import bound, provisioned
from tests.operations.broker.world import RELEASE, World


def queued_deprovision(world: World) -> None:
    world.provision()


def failed_provision(world: World) -> None:
    world.fail(world.provision(make="echo broken; exit 1"))


def ready_with_failed_bind(world: World) -> None:
    provisioned(world)
    world.fail(world.bind(make="echo broken; exit 1"))


def ready_with_queued_bind(world: World) -> None:
    provisioned(world)
    world.bind()


def failed_unbind(world: World) -> None:
    provisioned(world)
    world.succeed(world.bind(drop="echo broken; exit 1"))
    world.fail(world.unbind())


def failed_deprovision(world: World) -> None:
    bound(world)
    world.cluster.down = True
    operation = world.deprovision()
    world.time_is_over()
    world.fail(operation)
    world.cluster.down = False


@pytest.mark.osb(85, 87, 115)
@pytest.mark.bug(28, 63)
@pytest.mark.parametrize(
    "begin",
    [
        queued_deprovision,
        failed_provision,
        provisioned,
        bound,
        ready_with_failed_bind,
        ready_with_queued_bind,
        failed_unbind,
        failed_deprovision,
    ],
)
def test_deprovision_from_every_phase_leaves_nothing(world: World, begin: Callable[[World], None]) -> None:
    begin(world)
    end = world.succeed(world.deprovision())
    assert end.description == "ledger is deleted"
    assert (world.cluster.releases, world.cluster.all()) == ({}, [])
    assert world.instance().phase is Phase.GONE
    assert world.binding() is None


@pytest.mark.osb(82)
@pytest.mark.bug(64)
def test_deleted_twice_is_deleted_once(world: World) -> None:
    bound(world)
    first = world.deprovision()
    assert world.deprovision() == first
    world.succeed(first)
    assert world.helm.verbs(RELEASE) == ["deploy", "uninstall"]
