"""Charts are applied in the name of a tenant's account, and what was made is removed in the broker's own."""

from __future__ import annotations

from dataclasses import replace

from helmbroker.broker.domain.tenants import Tenant
from helmbroker.durable import State
from tests.operations.broker.world import BINDING_RELEASE, NAMESPACE, RELEASE, World

ALICE = f"system:serviceaccount:{NAMESPACE}:alice"
OURS = Tenant({}, "alice")
NOBODYS = Tenant({"organization_guid": "of nobody"}, "alice")


def act_for(world: World, *tenants: Tenant) -> None:
    """As a worker that was started with these tenants."""
    world.tools = replace(world.tools, tenants=tenants)
    world.service_again()


def names(world: World) -> dict[str, set[str | None]]:
    """Command -> in whose names it was run."""
    found: dict[str, set[str | None]] = {}
    for call in world.helm.calls:
        found.setdefault(call.verb, set()).add(call.user)
    return found


def test_what_is_made_is_made_in_the_tenants_name_and_removed_in_our_own(world: World) -> None:
    act_for(world, OURS)
    world.succeed(world.provision(text="one"))
    world.succeed(world.update(text="two"))
    world.succeed(world.bind())
    assert set(world.cluster.rehearsed_as) == {ALICE}
    world.succeed(world.unbind())
    world.succeed(world.deprovision())
    assert names(world)["deploy"] == {ALICE}
    assert names(world)["uninstall"] == {None}
    assert {RELEASE, BINDING_RELEASE} <= {call.ref for call in world.helm.calls if call.user == ALICE}


def test_an_update_that_fails_goes_back_in_the_tenants_name(world: World) -> None:
    act_for(world, OURS)
    world.succeed(world.provision(text="one"))
    world.fail(world.update(make="echo no; exit 3"))
    assert names(world)["rollback"] == {ALICE}


def test_without_an_account_nothing_is_made_and_what_there_is_can_go(world: World) -> None:
    world.succeed(world.provision(text="one"))
    act_for(world, NOBODYS)
    told = world.fail(world.update(text="two"))
    assert told.startswith("The operator has named no service account for this tenant.")
    assert world.cluster.releases[RELEASE].values["text"] == "one"
    ended = world.run(world.deprovision())
    assert ended.state is State.SUCCEEDED
    assert not world.cluster.releases


def test_without_tenants_everything_is_in_our_own_name(world: World) -> None:
    world.succeed(world.provision(text="one"))
    assert {name for users in names(world).values() for name in users} == {None}
    assert set(world.cluster.rehearsed_as) == {None}
