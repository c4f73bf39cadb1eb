"""Rotate: new credentials beside the old ones, the app, a pause, the end of the old ones; or all the way back."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
import sqlalchemy as sa

from helmbroker.controller_bridge.apps.port import AppReleaseError, ConfigChange
from helmbroker.controller_bridge.broker_port import BrokerError
from helmbroker.controller_bridge.model import BindingState, InstanceState
from helmbroker.controller_bridge.service import Conflicting, Refused
from helmbroker.controller_bridge.store import OPERATIONS
from helmbroker.controller_bridge.views import NoSuchResource
from helmbroker.durable import JSON, State
from tests.operations.bridge.world import APP, DB, World
from tests.operations.harness import Case, assert_same_end

BOUND = (InstanceState.READY, BindingState.READY)
ROTATING = (InstanceState.READY, BindingState.ROTATING)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def rotate(world: World, *, now: bool = False) -> str:
    operation = world.service.rotate(APP, DB, "alice", now=now).binding_operation
    assert operation is not None
    return operation


def break_with_the_new(world: World) -> None:
    """The app does not come up with any other credentials than those it has."""
    old = world.resource().binding_id

    def credentials(binding: str) -> Mapping[str, JSON]:
        return {"uri": f"postgres://{binding}", "port": 5432 if binding == old else 666}

    world.broker.credentials_of = credentials


def course(world: World) -> list[str]:
    """What is asked of broker and app from now on."""
    calls: list[str] = []
    world.broker.before = calls.append
    world.apps.before = lambda method, _app: calls.append(method)
    return calls


def at_broker(world: World) -> set[str]:
    return {key.partition("/")[2] for key in world.broker.bindings}


@pytest.mark.parametrize("looks", [0, 2])
def test_the_app_runs_with_new_credentials_before_the_old_ones_end(tmp_path: Path, looks: int) -> None:
    world = World(tmp_path, looks=looks)
    old = world.bound().binding_id
    calls = course(world)
    operation = rotate(world)
    assert world.states() == ROTATING
    assert world.run(operation).state is State.SUCCEEDED
    new = world.resource().binding_id
    assert (world.states(), at_broker(world)) == (BOUND, {new})
    assert new != old
    assert world.environment()["MY_DB_URI"] == f"postgres://u:{new}@db:5432/app"
    assert calls.index("bind") < calls.index("change_config") < calls.index("settle") < calls.index("unbind")
    assert world.ledger()[-1] == (3, "succeeded", ["addon_my_db"])
    assert world.apps.releases(APP)[0].summary == "rotate my-db (postgresql:small)"
    assert world.message() == "The new credentials are live in the app with release v3, the old ones are revoked"


@pytest.mark.osb(108)
@pytest.mark.parametrize("rotatable", [True, False])
def test_the_broker_hears_of_the_predecessor_where_it_can_do_something_with_it(
    world: World, *, rotatable: bool
) -> None:
    world.run(world.create(plan="small" if rotatable else "large").instance_operation)
    world.run(world.service.bind(APP, DB, "alice").binding_operation)
    old = world.resource().binding_id
    world.run(rotate(world))
    (made,) = world.broker.bindings.values()
    assert made.request == ("svc-pg", old if rotatable else None)


@pytest.mark.parametrize("now", [False, True])
def test_a_disturbance_anywhere_changes_nothing(tmp_path: Path, *, now: bool) -> None:
    def make() -> Case:
        world = World(tmp_path)
        world.bound()
        return world.case(rotate(world, now=now))

    assert_same_end(make)


def test_open_connections_get_their_time_and_no_thread_waits(tmp_path: Path) -> None:
    world = World(tmp_path, grace_s=600.0)
    old = world.bound().binding_id
    operation = rotate(world)
    while "switch" not in world.hand.operation(operation).results:
        world.hand.pass_time()
        assert world.hand.turn()
    world.hand.pass_time()
    world.hand.turn()
    waiting = world.hand.operation(operation)
    assert (waiting.state, world.hand.turn()) == (State.QUEUED, False)
    assert world.message().startswith(
        "the app has the new credentials; the old ones end in 600 s (rotate, step 11 of"
    )
    assert at_broker(world) == {old, world.resource().binding_id}
    ripen(world, operation)
    assert world.run(operation).state is State.SUCCEEDED
    assert at_broker(world) == {world.resource().binding_id}


def test_a_rollout_that_takes_too_long_for_open_connections_to_get_their_time_is_undone(tmp_path: Path) -> None:
    world = World(tmp_path, grace_s=900.0)
    old = world.bound().binding_id
    operation = rotate(world)
    before = world.hand.operation(operation)
    assert before.deadline - before.created_at == 3600.0 + 900.0
    world.apps.rolling_looks = 3
    world.shorten(operation, to_s=900.0 + 400.0)
    assert world.run(operation).state is State.FAILED
    assert "it took too long: app release v3" in world.message()
    assert (world.states(), at_broker(world)) == (BOUND, {old})


def ripen(world: World, operation: str) -> None:
    """The pause is over."""
    with world.store.writing() as conn:
        results = {**world.hand.operation(operation).results, "switch": {"revoke_at": 0.0}}
        conn.execute(sa.update(OPERATIONS).where(OPERATIONS.c.id == operation).values(results=results))


def test_a_broken_rollout_puts_the_old_credentials_back(world: World) -> None:
    old = world.bound().binding_id
    before = world.environment()
    break_with_the_new(world)
    end = world.run(rotate(world))
    assert (end.state, world.states()) == (State.FAILED, BOUND)
    assert world.message() == (
        "app release v3 failed: process type web: container web ended with exit code 3 (Error)"
    )
    assert (world.resource().binding_id, at_broker(world)) == (old, {old})
    assert world.environment() == before
    assert world.apps.apps[APP].offered["my-db-binding"]["uri"] == f"postgres://{old}"
    assert [state for _, state, _ in world.ledger()] == ["succeeded", "succeeded", "failed", "succeeded"]
    assert world.service.look(APP, DB).failed


def unreadable(method: str) -> None:
    """A broker without GET of bindings."""
    if method == "credentials":
        raise BrokerError(404, "NotFound", "not retrievable")


def test_without_get_of_bindings_a_rotation_is_undone_as_well(tmp_path: Path) -> None:
    world = World(tmp_path, looks=0)
    old = world.bound().binding_id
    break_with_the_new(world)
    world.broker.before = unreadable
    assert world.run(rotate(world)).state is State.FAILED
    assert world.message().startswith("app release v3 failed: ")
    assert (world.resource().bindings, at_broker(world)) == ((old,), {old})
    assert world.apps.apps[APP].offered["my-db-binding"]["uri"] == f"postgres://{old}"


def refuse_offer(world: World, *, until: str) -> None:
    """The Secret cannot be replaced any more as soon as this was asked of the app."""
    asked: list[str] = []

    def refuse(method: str, _app: str) -> None:
        asked.append(method)
        if method == "offer" and until in asked:
            raise AppReleaseError("the Secret is not ours any more")

    world.apps.before = refuse


def test_a_secret_that_delivers_the_new_credentials_keeps_them_valid(world: World) -> None:
    old = world.bound().binding_id
    break_with_the_new(world)
    refuse_offer(world, until="recover")
    assert world.run(rotate(world)).state is State.FAILED
    (new,) = world.resource().other_bindings
    assert at_broker(world) == {old, new}
    assert world.apps.apps[APP].offered["my-db-binding"]["uri"] == f"postgres://{new}"
    assert world.message().endswith(
        "; the Secret my-db-binding still delivers the new credentials, which stay valid: "
        "the Secret is not ours any more"
    )


def test_a_secret_that_never_had_the_new_credentials_keeps_none(world: World) -> None:
    old = world.bound().binding_id
    refuse_offer(world, until="offer")
    assert world.run(rotate(world)).state is State.FAILED
    assert world.message() == "the Secret is not ours any more"
    assert (world.resource().bindings, at_broker(world)) == ((old,), {old})


def test_an_app_that_cannot_be_brought_back_keeps_both(world: World) -> None:
    old = world.bound().binding_id
    break_with_the_new(world)

    def refuse(method: str, _app: str) -> None:
        if method == "recover":
            raise AppReleaseError("the namespace is being deleted")

    world.apps.before = refuse
    world.run(rotate(world))
    assert world.message().endswith(
        "; the app could not be brought back, so the old and the new credentials both stay valid"
    )
    assert (world.states(), world.resource().binding_id, len(at_broker(world))) == (BOUND, old, 2)
    world.apps.before = lambda _method, _app: None
    world.broker.credentials_of = lambda binding: {"uri": f"postgres://{binding}", "port": 5432}
    assert world.run(rotate(world)).state is State.SUCCEEDED
    assert at_broker(world) == {world.resource().binding_id}


def test_old_credentials_that_stay_are_told_and_end_with_the_next_rotation(world: World) -> None:
    world.bound()
    world.broker.fails["unbind"] = "the job that drops the user failed"
    assert world.run(rotate(world)).state is State.FAILED
    assert world.message() == (
        "release v3 is live with new credentials, but the old ones could not be revoked: "
        "the job that drops the user failed. That is tried again in an hour, and with the next rotation"
    )
    assert (world.states(), len(at_broker(world))) == (BOUND, 2)
    world.broker.fails.clear()
    assert world.run(rotate(world)).state is State.SUCCEEDED
    assert at_broker(world) == {world.resource().binding_id}


def test_a_binding_that_stays_keeps_no_other_one(world: World) -> None:
    world.bound()
    world.broker.fails["unbind"] = "the job that drops the user failed"
    world.run(rotate(world))
    operation = rotate(world)
    world.broker.fails.clear()
    stays, goes = world.resource().bindings[:2]  # in the order in which they are asked for
    of_it = world.broker.bindings[f"{world.resource().instance_id}/{stays}"]
    of_it.deleting, of_it.failure = True, "the user owns tables"
    assert world.run(operation).state is State.FAILED
    row = world.resource()
    assert (row.other_bindings, at_broker(world)) == ((stays,), {row.binding_id, stays})
    assert goes not in at_broker(world)
    assert "could not be revoked: the user owns tables. " in world.message()


def test_unbind_ends_the_credentials_that_a_rotation_has_left(world: World) -> None:
    world.bound()
    world.broker.fails["unbind"] = "the job that drops the user failed"
    world.run(rotate(world))
    world.broker.fails.clear()
    world.run(world.service.unbind(APP, DB, "alice").binding_operation)
    assert (world.broker.bindings, world.resource().bindings) == ({}, ())


def test_credentials_that_all_bindings_share_cannot_be_rotated(world: World) -> None:
    world.broker.credentials_of = lambda _binding: {"uri": "redis://shared"}
    old = world.bound().binding_id
    world.run(rotate(world))
    assert world.message() == "the service gives the same credentials to every binding: they cannot be rotated"
    assert (world.states(), at_broker(world)) == (BOUND, {old})


@pytest.mark.parametrize("now", [False, True])
def test_new_credentials_that_collide_touch_no_secret(world: World, *, now: bool) -> None:
    old = world.bound().binding_id
    taken = ConfigChange({"global": {"MY_DB_HOST": "mine"}})
    world.apps.change_config(APP, taken, author="alice", summary="a host", key="k")
    world.apps.settle(APP, 3)
    world.broker.credentials_of = lambda binding: {"uri": f"postgres://{binding}", "host": "db"}
    calls = course(world)
    assert world.run(rotate(world, now=now)).state is State.FAILED
    assert world.message() == "config groups addon_my_db and global both set MY_DB_HOST: rename one of them"
    assert not {"offer", "change_config"} & set(calls)
    assert (world.resource().bindings, at_broker(world)) == ((old,), {old})


def test_at_once_the_old_credentials_end_before_the_app_is_out(world: World) -> None:
    world.bound()
    calls = course(world)
    assert world.run(rotate(world, now=True)).state is State.SUCCEEDED
    assert calls.index("change_config") < calls.index("unbind") < calls.index("rollout")
    assert world.message() == (
        "The old credentials were revoked at once, the new ones are live in the app with release v3"
    )
    assert at_broker(world) == {world.resource().binding_id}


def test_at_once_there_is_no_way_back(world: World) -> None:
    world.bound()
    break_with_the_new(world)
    assert world.run(rotate(world, now=True)).state is State.FAILED
    assert world.message() == (
        "the old credentials are revoked, but the app does not run with the new ones of v3: app release v3 failed: "
        "process type web: container web ended with exit code 3 (Error). Rotate again when that is mended"
    )
    assert (world.states(), at_broker(world)) == (BOUND, {world.resource().binding_id})


def test_at_once_stops_a_rotation_that_takes_its_time(tmp_path: Path) -> None:
    world = World(tmp_path, grace_s=600.0)
    world.bound()
    first = rotate(world)
    while "switch" not in world.hand.operation(first).results:
        world.hand.pass_time()
        world.hand.turn()
    with pytest.raises(Conflicting, match=r"^Resource my-db is rotating$"):
        rotate(world)
    assert world.run(rotate(world, now=True)).state is State.SUCCEEDED
    assert world.hand.operation(first).state is State.CANCELLED
    assert at_broker(world) == {world.resource().binding_id}


def test_only_what_is_bound_can_be_rotated(world: World) -> None:
    with pytest.raises(NoSuchResource):
        rotate(world)
    world.created()
    with pytest.raises(Refused, match=r"^the resource instance is not binding$"):
        rotate(world)
    operation = world.service.bind(APP, DB, "alice").binding_operation
    with pytest.raises(Conflicting, match=r"^Resource my-db is binding$"):
        rotate(world)
    world.run(operation)
    rotate(world)
    with pytest.raises(Refused, match=r"^the resource instance is still binding$"):
        world.service.destroy(APP, DB, "alice")
