"""Apps that the controller does not know any more, one or many at once, and when their resources go."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from helmbroker.controller_bridge.drycc_store import WatchedApps
from helmbroker.controller_bridge.model import InstanceState
from helmbroker.controller_bridge.service import NewResource
from tests.fakes.drycc.config import Refusal
from tests.operations.bridge.world import APP, DB
from tests.unit.drycc.tower import GRACE_S, POLL_S, RELEASES, Tower, bound, tower

__all__ = ["bound", "tower"]


def test_an_app_that_is_gone_is_let_go_after_a_day(bound: Tower, caplog: pytest.LogCaptureFixture) -> None:
    del bound.rules.apps[APP]
    caplog.set_level(logging.WARNING)
    bound.look(POLL_S + 1)
    bound.work()
    assert "app shop is gone: the controller does not know it; in 86400 s its resources are removed" in caplog.text
    bound.look(GRACE_S - 1)
    bound.work()
    assert bound.resource().instance is InstanceState.READY
    bound.look(POLL_S + 1)
    bound.work()
    assert (bound.broker.bindings, bound.broker.instances) == ({}, {})
    assert bound.service.page(APP, limit=1, offset=0)[0] == 0
    assert bound.look(POLL_S + 1) == "looked at 0 apps"


def test_one_wrong_answer_loses_nothing(bound: Tower) -> None:
    bound.seat.controller.fail("GET", RELEASES, Refusal(404, "No App matches the given query."))
    bound.look(POLL_S + 1)
    bound.look(POLL_S + 1)
    bound.look(GRACE_S)
    bound.seat.controller.fail("GET", RELEASES, Refusal(404, "No App matches the given query."))
    bound.look(POLL_S + 1)
    bound.work()
    assert len(bound.broker.bindings) == 1


def test_a_controller_that_does_not_know_us_is_not_believed(bound: Tower) -> None:
    missing = Refusal(404, "No App matches the given query.")
    bound.seat.controller.fail("GET", RELEASES, missing)
    bound.seat.controller.fail("GET", "/v2/auth/whoami/", missing)
    assert "it is not believed" in bound.look(POLL_S + 1)
    assert WatchedApps(bound.store).missing() == []


def many(bound: Tower) -> list[str]:
    """Apps with resources besides the one."""
    apps = [f"app-{number}" for number in range(4)]
    for app in apps:
        bound.rules.create_app(app)
        bound.service.create(NewResource(app, DB, "postgresql", "small", {}), "alice")
    bound.work()
    bound.look()
    bound.work()
    return apps


def test_many_apps_do_not_go_at_once(bound: Tower, caplog: pytest.LogCaptureFixture) -> None:
    """A controller that was restored from an old backup knows none of the newer ones."""
    many(bound)
    bound.rules.apps.clear()
    bound.look(POLL_S + 1)
    bound.look(GRACE_S + 1)
    bound.work()
    assert len(bound.broker.instances) == 5
    assert "5 apps went missing at about the same time: nothing is removed" in caplog.text


def confirm_one(bound: Tower, gone: list[str]) -> None:
    """An operator says of one that it is meant to be gone."""
    watched = WatchedApps(bound.store)
    assert watched.confirm(gone[0])
    bound.now = max(bound.now, datetime.fromtimestamp(watched.clock(), UTC))


def destroy_one(bound: Tower, gone: list[str]) -> None:
    """An operator removes by hand what one had."""
    bound.service.destroy(gone[0], DB, "root")


@pytest.mark.parametrize("fewer", [confirm_one, destroy_one])
def test_apps_that_went_at_once_are_held_however_few_are_left(
    bound: Tower, fewer: Callable[[Tower, list[str]], None]
) -> None:
    """Each of them waits for a word of its own."""
    gone = many(bound)
    for app in gone:
        del bound.rules.apps[app]
    bound.look(POLL_S + 1)
    fewer(bound, gone)
    for _ in range(3):
        bound.work()
        bound.look(GRACE_S + 1)
    bound.work()
    assert [each.app for each in WatchedApps(bound.store).missing()] == gone[1:]
    assert len(bound.broker.instances) == 4


def test_apps_that_went_at_once_are_held_though_others_came_back(bound: Tower) -> None:
    """A backup that is restored half-way leaves three; they are let go by themselves once they were found again."""
    gone = many(bound)
    kept = {app: bound.rules.apps.pop(app) for app in gone}
    bound.look(POLL_S + 1)
    bound.rules.apps[gone[0]] = kept[gone[0]]
    for _ in range(3):
        bound.look(GRACE_S + 1)
        bound.work()
    assert len(bound.broker.instances) == 5
    bound.rules.apps.update(kept)
    bound.look(POLL_S + 1)
    del bound.rules.apps[gone[1]]
    for _ in range(2):
        bound.look(GRACE_S + 1)
        bound.work()
    assert bound.service.page(gone[1], limit=1, offset=0)[0] == 0
    assert len(bound.broker.instances) == 4


def test_an_app_that_is_missed_beside_held_ones_is_held(bound: Tower) -> None:
    """It was looked at last, and those that were confirmed till then are not there to be counted."""
    *gone, last = [APP, *many(bound)]
    kept = {app: bound.rules.apps.pop(app) for app in gone}
    bound.look(POLL_S + 1)
    for app in gone[:3]:
        bound.rules.apps[app] = kept[app]
    del bound.rules.apps[last]
    for _ in range(3):
        bound.look(POLL_S + 1)
    assert [each.app for each in WatchedApps(bound.store).missing()] == [gone[3], last]
    for _ in range(2):
        bound.look(GRACE_S)
        bound.work()
    assert len(bound.broker.instances) == 5


def test_apps_that_go_one_after_the_other_are_let_go(bound: Tower) -> None:
    """Their owners delete four of five within a day, and none of them at once."""
    for app in many(bound):
        del bound.rules.apps[app]
        bound.look(3601)
    assert [each.app for each in WatchedApps(bound.store).missing()] == [f"app-{number}" for number in range(4)]
    for _ in range(4):
        bound.look(GRACE_S)
        bound.work()
    assert list(bound.broker.instances) == [bound.resource().instance_id]


def test_an_operator_says_which_of_many_is_meant_to_be_gone(bound: Tower) -> None:
    """It is removed at once, and no other; one that comes back is not."""
    gone, back, *_ = many(bound)
    kept = {name: bound.rules.apps.pop(name) for name in list(bound.rules.apps)}
    bound.look(POLL_S + 1)
    watched = WatchedApps(bound.store)
    assert (watched.confirm(gone), watched.confirm(back), watched.confirm("none")) == (True, True, False)
    bound.rules.apps[back] = kept[back]
    bound.now = datetime.fromtimestamp(watched.clock(), UTC)
    bound.look()
    bound.work()
    assert len(bound.broker.instances) == 4
    assert bound.service.page(gone, limit=1, offset=0)[0] == 0
    bound.look()
    assert {each.app: each.confirmed for each in watched.missing()} == dict.fromkeys((APP, "app-2", "app-3")), (
        "who is back is confirmed no more"
    )
