"""Bind: from the credentials of the broker to a healthy app release, and all the way back when it breaks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from helmbroker.controller_bridge.apps.port import AppsUnavailable
from helmbroker.controller_bridge.broker_port import BrokerError, Unreachable
from helmbroker.controller_bridge.delivery import EnvMapping
from helmbroker.controller_bridge.model import BindingState, InstanceState
from helmbroker.controller_bridge.service import Conflicting, Refused
from helmbroker.durable import JSON, State
from tests.operations.bridge.world import APP, DB, World
from tests.operations.harness import Case, assert_same_end

READY = InstanceState.READY
BAD_PORT: Mapping[str, JSON] = {"uri": "postgres://x", "port": 666}


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def bind(world: World) -> str:
    operation = world.service.bind(APP, DB, "alice").binding_operation
    assert operation is not None
    return operation


@pytest.mark.parametrize("looks", [0, 2])
def test_the_credentials_get_into_the_app(tmp_path: Path, looks: int) -> None:
    world = World(tmp_path, looks=looks)
    world.created()
    operation = bind(world)
    assert world.states() == (READY, BindingState.BINDING)
    assert world.run(operation).state is State.SUCCEEDED
    assert world.states() == (READY, BindingState.READY)
    binding = world.resource().binding_id
    assert world.environment() == {"MY_DB_PORT": "5432", "MY_DB_URI": f"postgres://u:{binding}@db:5432/app"}
    assert world.ledger() == [(1, "succeeded", []), (2, "succeeded", ["addon_my_db"])]
    assert world.message() == "The credentials are live in the app with release v2"
    release = world.apps.releases(APP)[0]
    assert (release.author, release.summary) == ("alice", "bind my-db (postgresql:small)")


def test_a_disturbance_anywhere_changes_nothing(tmp_path: Path) -> None:
    def make() -> Case:
        world = World(tmp_path)
        world.created()
        return world.case(bind(world))

    assert_same_end(make)


def test_a_synchronous_binding_that_cannot_be_read_is_put_again(tmp_path: Path) -> None:
    world = World(tmp_path, looks=0)
    world.created()
    operation = bind(world)
    lost = iter([True])

    def lose(method: str, _app: str) -> None:
        if method == "change_config" and next(lost, False):
            raise AppsUnavailable("the cluster does not answer")

    def unreadable(method: str) -> None:
        if method == "credentials":
            raise BrokerError(404, "NotFound", "not retrievable")

    world.apps.before, world.broker.before = lose, unreadable
    assert world.run(operation).state is State.SUCCEEDED
    assert len(world.broker.bindings) == 1


def test_a_broken_rollout_is_undone_and_its_reason_told(world: World) -> None:
    world.created()
    world.broker.credentials_of = lambda _binding: BAD_PORT
    end = world.run(bind(world))
    assert end.state is State.FAILED
    assert world.message() == (
        "app release v2 failed: process type web: container web ended with exit code 3 (Error)"
    )
    assert world.states() == (READY, BindingState.FAILED)
    assert world.broker.bindings == {}
    assert world.environment() == {}
    assert world.ledger() == [(1, "succeeded", []), (2, "failed", ["addon_my_db"]), (3, "succeeded", [])]
    assert world.resource().binding_id is None


def test_after_a_failure_it_can_be_bound_again(world: World) -> None:
    world.created()
    good = world.broker.credentials_of
    world.broker.credentials_of = lambda _binding: BAD_PORT
    world.run(bind(world))
    world.broker.credentials_of = good
    assert world.run(bind(world)).state is State.SUCCEEDED
    assert world.states() == (READY, BindingState.READY)
    assert len(world.broker.bindings) == 1


@pytest.mark.parametrize("method", ["recover", "rollout", "settle"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_the_way_back_survives_interruptions(world: World, method: str, when: str) -> None:
    world.created()
    world.broker.credentials_of = lambda _binding: BAD_PORT
    operation = bind(world)
    times = iter([True, True])

    def interrupt(called: str, _app: str) -> None:
        if called == method and next(times, False):
            raise AppsUnavailable("the cluster does not answer")

    setattr(world.apps, when, interrupt)
    assert world.run(operation).state is State.FAILED
    assert world.message().startswith("app release v2 failed: process type web")
    assert [state for _, state, _ in world.ledger()] == ["succeeded", "failed", "succeeded"]
    assert world.broker.bindings == {}


def test_the_broker_s_failure_is_told_and_undone(world: World) -> None:
    world.created()
    world.broker.fails["bind"] = "the job that makes the user failed: disk full"
    assert world.run(bind(world)).state is State.FAILED
    assert world.message() == "the job that makes the user failed: disk full"
    assert world.states() == (READY, BindingState.FAILED)
    assert world.broker.bindings == {}
    assert world.ledger() == []


def test_credentials_that_collide_touch_no_app(world: World) -> None:
    world.created()
    world.broker.credentials_of = lambda _binding: {"host": "canary-a", "HOST": "canary-b"}
    asked: list[str] = []
    world.apps.before = lambda method, _app: asked.append(method)
    world.run(bind(world))
    assert asked == ["of_key", "offer"], "what undoes it: a release is looked for, the Secret taken away"
    assert "'HOST' and 'host' both become MY_DB_HOST" in world.message()
    assert "canary" not in world.message()
    assert world.ledger() == []
    assert world.broker.bindings == {}


def test_without_the_app_nothing_stays_bound(world: World) -> None:
    world.created()
    del world.apps.apps[APP]
    assert world.run(bind(world)).state is State.FAILED
    assert world.message() == "there is no app shop"
    assert world.broker.bindings == {}


def test_when_undoing_fails_it_can_be_unbound_later(world: World) -> None:
    world.created()
    world.broker.credentials_of = lambda _binding: BAD_PORT
    world.broker.fails["unbind"] = "the job that drops the user failed"
    world.run(bind(world))
    assert world.message().endswith("; and undoing it failed: the job that drops the user failed")
    assert world.states() == (READY, BindingState.UNBIND_FAILED)
    with pytest.raises(Refused, match="unbind it first"):
        bind(world)
    world.broker.fails.clear()
    assert world.run(world.service.unbind(APP, DB, "alice").binding_operation).state is State.SUCCEEDED
    assert world.states() == (READY, BindingState.UNBOUND)
    assert world.broker.bindings == {}


def test_a_rollout_that_does_not_end_is_undone(world: World) -> None:
    world.created()
    operation = bind(world)
    world.shorten(operation, to_s=400)
    slow = "process type web: 0 of 1 pods are ready (look 1)"
    world.broker.looks = 0
    assert world.run(operation).state is State.FAILED
    assert world.message() == f"it took too long: app release v2: {slow}"
    assert [state for _, state, _ in world.ledger()] == ["succeeded", "failed", "succeeded"]
    assert world.broker.bindings == {}


def test_a_broker_that_never_answers_is_given_up(world: World) -> None:
    def silent(method: str) -> None:
        if method == "bind":
            raise Unreachable("the broker at b does not answer")

    world.created()
    operation = bind(world)
    world.shorten(operation, to_s=400)
    world.broker.before = silent
    assert world.run(operation).state is State.FAILED
    assert world.message() == "it took too long: the broker at b does not answer; trying again"
    assert world.states() == (READY, BindingState.FAILED)


def test_only_what_is_ready_and_unbound_can_be_bound(world: World) -> None:
    world.create()
    with pytest.raises(Refused, match=r"^the resource instance is not ready$"):
        bind(world)
    world.run(world.resource().instance_operation)
    operation = bind(world)
    with pytest.raises(Conflicting, match=r"^Resource my-db is binding$"):
        bind(world)
    world.run(operation)
    with pytest.raises(Refused, match=r"^the resource instance is binding$"):
        bind(world)


def test_two_resources_of_one_app_follow_each_other(world: World) -> None:
    world.created("my-db")
    world.created("cache")
    first = world.service.bind(APP, "my-db", "alice").binding_operation
    second = world.service.bind(APP, "cache", "bob").binding_operation
    assert world.run(second).state is State.SUCCEEDED
    assert first is not None
    assert world.hand.operation(first).state is State.SUCCEEDED
    assert sorted(world.environment()) == ["CACHE_PORT", "CACHE_URI", "MY_DB_PORT", "MY_DB_URI"]
    assert [groups for _, _, groups in world.ledger()] == [[], ["addon_my_db"], ["addon_cache", "addon_my_db"]]


def test_a_mapping_is_kept_for_rotations(world: World) -> None:
    world.created()
    env = EnvMapping(rename={"uri": "DATABASE_URL"}, only=("uri",))
    world.run(world.service.bind(APP, DB, "alice", env).binding_operation)
    assert set(world.environment()) == {"DATABASE_URL"}
    world.run(world.service.rotate(APP, DB, "alice").binding_operation)
    assert world.environment() == {"DATABASE_URL": f"postgres://u:{world.resource().binding_id}@db:5432/app"}
    world.run(world.service.unbind(APP, DB, "alice").binding_operation)
    world.run(bind(world))
    assert set(world.environment()) == {"MY_DB_PORT", "MY_DB_URI"}, "each bind says its own"


@pytest.mark.parametrize(
    ("env", "told"),
    [
        (EnvMapping(only=("jdbc",)), "the binding delivers no 'jdbc'; its keys are port, uri"),
        (EnvMapping(prefix="CACHE_"), "config groups addon_cache and addon_my_db both set CACHE_PORT: rename one"),
    ],
)
def test_a_mapping_that_collides_or_does_not_fit_touches_no_app(world: World, env: EnvMapping, told: str) -> None:
    world.bound("cache")
    world.created()
    before = world.ledger()
    world.run(world.service.bind(APP, DB, "alice", env).binding_operation)
    assert world.message().startswith(told)
    assert (world.states(), world.ledger()) == ((READY, BindingState.FAILED), before)
    assert (len(world.broker.bindings), world.offered()) == (1, ["cache-binding"])


def test_others_find_the_credentials_in_a_secret_of_the_app(world: World) -> None:
    world.bound()
    (entries,) = world.apps.apps[APP].offered.values()
    uri = f"postgres://u:{world.resource().binding_id}@db:5432/app"
    assert entries == {"type": "postgresql", "provider": "postgresql", "port": "5432", "uri": uri}
    world.run(world.service.rotate(APP, DB, "alice").binding_operation)
    (entries,) = world.apps.apps[APP].offered.values()
    assert entries["uri"] == f"postgres://u:{world.resource().binding_id}@db:5432/app"
    world.run(world.service.unbind(APP, DB, "alice").binding_operation)
    assert world.offered() == []


def test_a_secret_of_others_is_refused_before_the_app_is_touched(world: World) -> None:
    world.created()
    world.apps.apps[APP].foreign.add("my-db-binding")
    world.run(bind(world))
    assert world.message() == "Secret shop/my-db-binding was not made by the bridge"
    assert (world.ledger(), world.broker.bindings) == ([], {})
