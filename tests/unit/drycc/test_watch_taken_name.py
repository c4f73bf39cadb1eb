"""Another app has the name of one that is gone: it gets nothing of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from helmbroker.controller_bridge.drycc_store import WatchedApps
from helmbroker.controller_bridge.model import BindingState
from helmbroker.controller_bridge.service import NewResource, Refused
from helmbroker.controller_bridge.sharing import Sharing
from tests.fakes.drycc.config import Refusal
from tests.operations.bridge.world import APP, DB
from tests.unit.drycc.tower import GRACE_S, POLL_S, RELEASES, Tower, bound, tower

__all__ = ["bound", "tower"]


def test_an_app_that_took_the_name_gets_nothing(bound: Tower) -> None:
    del bound.rules.apps[APP]
    bound.rules.create_app(APP, "otherteam")
    bound.rules.push(APP, {"web": "other:1"})
    bound.rules.work(APP)
    bound.look(POLL_S + 1)
    bound.work()
    assert bound.environment() == {}
    bound.look(GRACE_S)
    bound.work()
    assert bound.broker.instances == {}
    assert bound.environment() == {}


def take_name(bound: Tower, builds: int = 1) -> None:
    """Another workspace makes an app under the name of the former one."""
    del bound.rules.apps[APP]
    bound.rules.create_app(APP, "otherteam")
    for number in range(builds):
        bound.push(f"other:{number}", wipes=False)


def test_an_app_that_took_the_name_and_went_on_gets_nothing(bound: Tower) -> None:
    """It has more releases than the former one at the next look: only v1 tells them apart."""
    take_name(bound, builds=12)
    before = len(bound.reinjections())
    bound.look(POLL_S + 1)
    bound.work()
    assert (bound.environment(), len(bound.reinjections())) == ({}, before)
    assert [each.app for each in WatchedApps(bound.store).missing()] == [APP]


def test_an_app_that_took_the_name_is_known_by_its_few_releases(bound: Tower) -> None:
    """As many as the former one had: the list itself shows its v1."""
    releases = len(bound.rules.apps[APP].releases)
    take_name(bound, builds=releases - 1)
    assert len(bound.rules.apps[APP].releases) == releases
    bound.look(POLL_S + 1)
    assert [each.app for each in WatchedApps(bound.store).missing()] == [APP]


def test_no_rotation_gives_the_credentials_to_an_app_that_took_the_name(bound: Tower) -> None:
    take_name(bound)
    bound.look(POLL_S + 1)
    with bound.store.writing() as conn:
        bound.store.change(conn, bound.resource().uuid, rotate_at=1.0)
    assert bound.service.rotate_due(4) == (0, 0)
    bound.work()
    assert bound.environment() == {}


@pytest.mark.parametrize(
    "ask",
    [
        lambda bound: bound.service.create(NewResource(APP, "more", "postgresql", "small", {}), "eve"),
        lambda bound: bound.service.bind(APP, DB, "eve"),
        lambda bound: bound.service.rotate(APP, DB, "eve"),
        lambda bound: bound.service.rotate(APP, DB, "eve", now=True),
        lambda bound: bound.service.rotate_admin(APP, DB, "eve"),
        lambda bound: bound.service.schedule_rotation(APP, DB, 3600.0),
        lambda bound: bound.service.update(APP, DB, "postgresql:large", {}, "eve"),
        lambda bound: Sharing(bound.store).share("evil", "loot", (APP, DB), "eve"),
        lambda bound: Sharing(bound.store).share(APP, "loot", ("evil", DB), "eve"),
    ],
)
def test_whoever_took_the_name_may_do_nothing_with_the_resources(
    bound: Tower, ask: Callable[[Tower], None]
) -> None:
    bound.service.create(NewResource("evil", DB, "postgresql", "small", {}), "eve")
    bound.work()
    bound.rules.create_app("evil", "otherteam")
    take_name(bound)
    bound.look(POLL_S + 1)
    with pytest.raises(Refused, match="app shop is gone, or another app has its name"):
        ask(bound)


def test_what_a_gone_app_had_can_be_removed_by_hand(bound: Tower) -> None:
    take_name(bound)
    bound.look(POLL_S + 1)
    bound.service.unbind(APP, DB, "root")
    bound.work()
    bound.service.destroy(APP, DB, "root")
    bound.work()
    assert (bound.broker.bindings, bound.broker.instances) == ({}, {})
    bound.look(POLL_S + 1)
    bound.bind()
    assert "MY_DB_URI" in bound.environment()


def test_an_app_that_is_there_again_is_usable_again(bound: Tower) -> None:
    bound.seat.controller.fail("GET", RELEASES, Refusal(404, "No App matches the given query."))
    bound.look(POLL_S + 1)
    with pytest.raises(Refused):
        bound.service.rotate(APP, DB, "alice")
    bound.look(POLL_S + 1)
    bound.service.rotate(APP, DB, "alice")
    bound.work()
    assert bound.resource().binding is BindingState.READY
