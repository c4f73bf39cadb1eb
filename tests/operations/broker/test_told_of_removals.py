"""What users are told of removals, and what stays or goes with an instance."""

from __future__ import annotations

import pytest

from helmbroker.broker.domain.cluster import HelmStatus
from tests.fakes.cluster import CLAIM
from tests.operations.broker.world import BINDING_RELEASE, CANARY, RELEASE, World


def test_a_retaining_plan_keeps_its_volumes_and_says_so(world: World) -> None:
    world.succeed(world.provision(plan="keeper"))
    world.succeed(world.bind())
    end = world.succeed(world.deprovision())
    assert end.description == "ledger is deleted; its volumes are kept, as the plan says"
    assert [(thing.kind, thing.name) for thing in world.cluster.all()] == [(CLAIM, f"data-{RELEASE.name}-0")]


def test_a_clean_up_that_fails_does_not_keep_the_instance(world: World) -> None:
    """No instance may be stuck so that only a database edit frees it."""
    world.succeed(world.provision(drop=f"echo cannot reach {CANARY}; exit 2", pin=CANARY))
    end = world.succeed(world.deprovision())
    assert end.description == (
        "ledger is deleted; the chart's own clean-up failed and was left out: "
        f"Job {RELEASE.name}-drop: cannot reach <hidden> (exit code 2)"
    )
    assert (world.cluster.releases, world.cluster.all()) == ({}, [])


@pytest.mark.parametrize("status", [HelmStatus.FAILED, HelmStatus.PENDING_INSTALL])
def test_what_never_ran_has_nothing_to_clean_up(world: World, status: HelmStatus) -> None:
    world.fail(world.provision(make="echo broken; exit 1", drop="echo never; exit 1"))
    assert world.succeed(world.deprovision()).description == "ledger is deleted"
    assert [call.hooks for call in world.helm.calls if call.verb == "uninstall"] == [False]


def test_an_unbind_that_cannot_drop_the_user_fails_and_may_be_tried_again(world: World) -> None:
    world.succeed(world.provision())
    world.succeed(world.bind(drop="echo no answer from the server; exit 1"))
    reason = world.fail(world.unbind())
    assert "no answer from the server (exit code 1)" in reason
    assert BINDING_RELEASE in world.cluster.releases
    assert "no answer" in world.fail(world.unbind())
    world.succeed(world.deprovision())
    assert world.cluster.releases == {}


def test_bindings_go_with_their_instance_without_their_jobs(world: World) -> None:
    world.succeed(world.provision())
    for name in ("one", "two"):
        world.succeed(world.bind(name, drop="echo never; exit 1"))
    world.succeed(world.deprovision())
    assert (world.cluster.releases, world.cluster.all()) == ({}, [])
    assert [(call.hooks, call.ref == RELEASE) for call in world.helm.calls if call.verb == "uninstall"] == [
        (False, False),
        (False, False),
        (True, True),
    ]
