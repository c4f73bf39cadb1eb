"""Resources that have the instance of another app's one: their own binding, and nothing else of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from helmbroker.controller_bridge.broker_port import InstanceRef
from helmbroker.controller_bridge.model import BindingState, InstanceState
from helmbroker.controller_bridge.service import NotUnique, Refused
from helmbroker.controller_bridge.views import NoSuchResource
from helmbroker.durable import State
from tests.operations.bridge.world import APP, DB, OTHER_APP, World

OWNER = (OTHER_APP, DB)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def bind(world: World, app: str) -> None:
    assert world.run(world.service.bind(app, DB, "alice").binding_operation).state is State.SUCCEEDED


def rotate(world: World, app: str) -> None:
    assert world.run(world.service.rotate(app, DB, "alice").binding_operation).state is State.SUCCEEDED


def running(world: World, app: str) -> str:
    return world.apps.apps[app].running["MY_DB_URI"]


def test_it_is_ready_at_once_and_makes_no_instance(world: World) -> None:
    made = world.shared()
    assert (made.instance, made.binding, made.plan_name) == (
        InstanceState.READY,
        BindingState.UNBOUND,
        "postgresql:small",
    )
    assert (made.source, world.message()) == ("blog/my-db", "The instance is that of blog/my-db")
    assert made.instance_id == world.resource(app=OTHER_APP).instance_id
    assert len(world.broker.instances) == 1
    assert world.sharing.sharing(world.resource(app=OTHER_APP)) == ["shop/my-db"]


def test_each_app_has_credentials_of_its_own_and_rotates_alone(world: World) -> None:
    world.shared()
    bind(world, OTHER_APP)
    bind(world, APP)
    assert len(world.broker.bindings) == 2
    theirs, ours = running(world, OTHER_APP), running(world, APP)
    assert theirs != ours
    rotate(world, APP)
    assert (running(world, OTHER_APP), running(world, APP) == ours) == (theirs, False)
    ours = running(world, APP)
    rotate(world, OTHER_APP)
    assert (running(world, OTHER_APP) == theirs, running(world, APP)) == (False, ours)
    assert len(world.broker.bindings) == 2


def test_the_broker_hears_of_the_app_that_binds(world: World) -> None:
    """By it the network is opened to that app."""
    world.shared()
    owner = world.resource(app=OTHER_APP)
    wanted = InstanceRef(owner.instance_id, "svc-pg", "plan-small", app=APP, name=DB, broker="default")
    assert world.resource().at_broker == wanted


def test_unbind_of_one_leaves_the_other(world: World) -> None:
    world.shared()
    bind(world, OTHER_APP)
    bind(world, APP)
    theirs = running(world, OTHER_APP)
    world.run(world.service.unbind(APP, DB, "alice").binding_operation)
    assert list(world.broker.bindings) == [
        f"{world.resource().instance_id}/{world.resource(app=OTHER_APP).binding_id}"
    ]
    assert running(world, OTHER_APP) == theirs


def test_destroy_forgets_it_and_leaves_the_instance(world: World) -> None:
    world.shared()
    world.service.destroy(APP, DB, "alice")
    world.run(world.resource().instance_operation)
    with pytest.raises(NoSuchResource):
        world.resource()
    assert len(world.broker.instances) == 1
    assert "deprovision" not in world.broker.calls
    assert world.sharing.sharing(world.resource(app=OTHER_APP)) == []


def test_an_instance_that_others_have_cannot_be_destroyed(world: World) -> None:
    world.shared()
    with pytest.raises(Refused, match=r"^the resource instance is shared with shop/my-db: destroy that first$"):
        world.service.destroy(*OWNER, "alice")
    assert world.resource(app=OTHER_APP).instance is InstanceState.READY
    world.service.destroy(APP, DB, "alice")
    with pytest.raises(Refused, match="shared with shop/my-db"):  # it is still there
        world.service.destroy(*OWNER, "alice")
    world.run(world.resource().instance_operation)
    world.service.destroy(*OWNER, "alice")
    world.run(world.resource(app=OTHER_APP).instance_operation)
    assert world.broker.instances == {}


def test_what_is_being_destroyed_cannot_be_shared(world: World) -> None:
    world.run(world.create(app=OTHER_APP).instance_operation)
    world.service.destroy(*OWNER, "alice")
    with pytest.raises(Refused, match="the resource instance is not ready"):
        world.sharing.share(APP, DB, OWNER, "alice")
    world.run(world.resource(app=OTHER_APP).instance_operation)
    with pytest.raises(NoSuchResource):
        world.sharing.share(APP, DB, OWNER, "alice")


def test_it_follows_the_instance(world: World) -> None:
    world.shared()
    operation = world.service.update(*OWNER, "postgresql:large", {}, "alice").instance_operation
    assert world.states() == (InstanceState.UPDATING, BindingState.UNBOUND)
    with pytest.raises(Refused, match="the resource instance is not ready"):
        world.service.bind(APP, DB, "alice")
    world.run(operation)
    assert (world.resource().plan_name, world.resource().plan_id) == ("postgresql:large", "plan-large")
    bind(world, APP)


def test_it_is_updated_only_where_it_is(world: World) -> None:
    world.shared()
    with pytest.raises(Refused, match=r"^the resource instance is that of blog/my-db: update that$"):
        world.service.update(APP, DB, "postgresql:large", {}, "alice")


def test_what_is_shared_is_not_shared_on(world: World) -> None:
    world.shared()
    with pytest.raises(Refused, match=r"^shop/my-db is shared itself: share blog/my-db$"):
        world.sharing.share("third", "their-db", (APP, DB), "alice")


def test_names_stay_unique(world: World) -> None:
    world.created()
    with pytest.raises(NotUnique):
        world.shared()


def test_also_twice_in_one_app(world: World) -> None:
    """A worker of the app may have a user of its own."""
    world.created()
    world.sharing.share(APP, "reader", (APP, DB), "alice")
    world.run(world.service.bind(APP, DB, "alice").binding_operation)
    world.run(world.service.bind(APP, "reader", "alice").binding_operation)
    assert {"MY_DB_URI", "READER_URI"} <= set(world.environment())


def test_a_schedule_is_its_own(world: World) -> None:
    world.shared()
    bind(world, APP)
    bind(world, OTHER_APP)
    world.service.schedule_rotation(APP, DB, 3600.0)
    assert world.resource(app=OTHER_APP).rotate_at is None
    assert world.resource().rotate_at is not None
