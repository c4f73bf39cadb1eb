"""How often apps are looked at, and what a look does when somebody does not answer."""

from __future__ import annotations

import pytest

from helmbroker.controller_bridge.broker_port import BrokerError
from helmbroker.controller_bridge.drycc_store import SqlBudget, WatchedApps
from helmbroker.controller_bridge.drycc_watch import EVERY_S
from helmbroker.controller_bridge.model import Kind
from helmbroker.controller_bridge.service import NewResource
from helmbroker.durable import State
from tests.fakes.drycc.config import Refusal
from tests.operations.bridge.world import APP, DB
from tests.unit.drycc.tower import POLL_S, RELEASES, Tower, bound, tower

__all__ = ["bound", "tower"]


def test_a_hook_brings_the_look_forward(bound: Tower) -> None:
    bound.push()
    WatchedApps(bound.store).hurry(APP, bound.now.timestamp())
    WatchedApps(bound.store).hurry("none", bound.now.timestamp())
    bound.look()
    bound.work()
    assert "MY_DB_URI" in bound.environment()


@pytest.mark.parametrize("fails", [False, True])
def test_a_hook_during_a_look_brings_the_next_one_forward(bound: Tower, fails: bool) -> None:
    """What it tells of may have come after the controller was asked."""
    if fails:
        bound.seat.controller.fail("GET", RELEASES, Refusal(500, {"detail": "Server Error"}))
    watched = WatchedApps(bound.store)
    bound.look(POLL_S + 1, meanwhile=lambda: watched.hurry(APP, bound.now.timestamp()))
    assert bound.look() == "looked at 1 apps"
    assert bound.look() == "looked at 0 apps"


def test_an_operator_who_confirms_during_a_look_is_not_kept_waiting(bound: Tower) -> None:
    del bound.rules.apps[APP]
    bound.look(POLL_S + 1)
    bound.look(POLL_S + 1, meanwhile=lambda: WatchedApps(bound.store).confirm(APP))
    bound.look()
    bound.work()
    assert bound.broker.instances == {}


def test_what_an_operation_released_during_a_look_is_no_news(bound: Tower) -> None:
    bound.push()
    newest, before = bound.rules.apps[APP].releases[-1].version, len(bound.reinjections())

    def end() -> None:
        with bound.store.writing() as conn:
            WatchedApps(bound.store).advance(conn, APP, newest)

    bound.look(POLL_S + 1, meanwhile=end)
    bound.look(POLL_S + 1)
    assert len(bound.reinjections()) == before


def test_an_operation_that_failed_during_a_look_is_tried_again(bound: Tower) -> None:
    before = len(bound.reinjections())

    def fail() -> None:
        with bound.store.writing() as conn:
            WatchedApps(bound.store).forget(conn, APP)

    bound.look(POLL_S + 1, meanwhile=fail)
    bound.look(POLL_S + 1)
    assert len(bound.reinjections()) == before + 1


def test_five_hundred_apps_are_looked_at_without_a_burst(tower: Tower) -> None:
    """After a restart all are due: the first few at once, the others as may be, and users find turns left."""
    for number in range(500):
        tower.service.create(NewResource(f"app-{number}", DB, "postgresql", "small", {}), "alice")
    told = tower.look(per_minute=60)
    assert told.startswith("looked at ")
    assert len(tower.seat.controller.calls) <= 8
    budget = SqlBudget(tower.store, 60)
    assert [budget.turn(0.0) for _ in range(6)] == [0.0] * 6


@pytest.mark.parametrize("per_minute", [20, 60, 600])
def test_no_turn_of_looks_is_lost_between_two_runs(tower: Tower, per_minute: int) -> None:
    """Else there would be fewer looks than the controller allows, and 500 apps would take longer than a poll."""
    budget = SqlBudget(tower.store, per_minute)
    in_a_run = [budget.turn(0.0, idle=True) for _ in range(per_minute)].count(0.0)
    evenly_per_s = per_minute * 0.75 / 60
    assert in_a_run >= EVERY_S * evenly_per_s


def test_an_app_that_cannot_be_looked_at_holds_up_nobody(bound: Tower) -> None:
    bound.service.create(NewResource("zoo", DB, "postgresql", "small", {}), "alice")
    bound.rules.create_app("zoo", "otherteam")
    bound.work()
    bound.look()
    bound.seat.controller.fail("GET", RELEASES, Refusal(500, {"detail": "Server Error"}), times=2)
    assert bound.look(POLL_S + 1) == "looked at 1 apps"
    assert bound.look(16) == "looked at 0 apps"
    assert bound.look(16) == "looked at 1 apps"


def test_a_controller_that_fails_is_left_alone(bound: Tower) -> None:
    for number in range(5):
        bound.service.create(NewResource(f"app-{number}", DB, "postgresql", "small", {}), "alice")
    bound.work()
    bound.look()
    bound.seat.controller.fail("GET", ".*", Refusal(503, {"detail": "away"}), times=10)
    before = len(bound.seat.controller.calls)
    assert "cannot answer now (HTTP 503)" in bound.look(POLL_S + 1)
    assert len(bound.seat.controller.calls) == before + 3


def test_a_busy_broker_is_waited_for(bound: Tower) -> None:
    busy = [BrokerError(422, "ConcurrencyError", "an update goes on")] * 2

    def refuse(method: str) -> None:
        if method in ("credentials", "bind") and busy:
            raise busy.pop()

    bound.broker.before = refuse
    bound.push()
    bound.look(POLL_S + 1)
    bound.work()
    assert busy == []
    assert "MY_DB_URI" in bound.environment()


def test_one_binding_that_the_broker_lost_does_not_keep_the_others(bound: Tower) -> None:
    bound.bind("my-cache")
    bound.push()
    lost = bound.resource()
    del bound.broker.bindings[f"{lost.instance_id}/{lost.binding_id}"]
    bound.broker.fails["bind"] = "no more users"
    bound.look(POLL_S + 1)
    bound.work()
    assert set(bound.environment()) == {"MY_CACHE_PORT", "MY_CACHE_URI"}
    assert "the credentials of my-db cannot be had" in bound.service.look(APP, DB).message
    assert bound.reinjections()[-1].kind == Kind.REINJECT


def test_credentials_that_could_not_be_had_are_tried_again_by_each_look(bound: Tower) -> None:
    """Nothing was released, so nothing can crash again."""
    before, released = len(bound.reinjections()), len(bound.seat.states())

    def refuse(method: str) -> None:
        if method in ("credentials", "bind"):
            raise BrokerError(400, "", "no more users")

    bound.broker.before = refuse
    bound.rules.roll_back(APP, bound.seat.states()[0][0], "ann")
    bound.rules.work(APP)
    for count in range(1, 4):
        bound.look(POLL_S + 1)
        bound.work()
        assert len(bound.reinjections()) == before + count
    assert bound.look() == "looked at 0 apps"
    assert len(bound.seat.states()) == released + 1
    bound.broker.before = lambda _method: None
    for _ in range(3):
        bound.look(POLL_S + 1)
        bound.work()
    assert len(bound.reinjections()) == before + 4
    assert bound.reinjections()[-1].state is State.SUCCEEDED


def test_one_binding_that_was_refused_is_tried_again_though_the_others_were_released(bound: Tower) -> None:
    bound.bind("my-cache")
    bound.push()
    lost = bound.resource()
    key = f"{lost.instance_id}/{lost.binding_id}"
    kept = bound.broker.bindings.pop(key)
    bound.broker.fails["bind"] = "no more users"
    bound.look(POLL_S + 1)
    bound.work()
    assert set(bound.environment()) == {"MY_CACHE_PORT", "MY_CACHE_URI"}
    bound.broker.bindings[key] = kept
    bound.look(POLL_S + 1)
    bound.work()
    assert "MY_DB_URI" in bound.environment()


def test_a_controller_that_refuses_is_asked_again_by_the_next_look(bound: Tower) -> None:
    bound.push()
    bound.seat.controller.fail("POST", "/v2/apps/shop/config/", Refusal(400, {"detail": "no"}))
    bound.look(POLL_S + 1)
    bound.work()
    failed = bound.reinjections()[-1]
    assert failed.state is State.FAILED
    assert failed.description.endswith("; they are tried again at the next look at the app")
    bound.look(POLL_S + 1)
    bound.work()
    assert "MY_DB_URI" in bound.environment()
