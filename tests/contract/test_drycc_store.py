"""What is kept about apps under a controller, on both databases."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from helmbroker.controller_bridge.apps.drycc.notes import Note
from helmbroker.controller_bridge.drycc_store import SqlBudget, SqlNotes, WatchedApp, WatchedApps
from helmbroker.controller_bridge.service import NewResource, Service
from helmbroker.controller_bridge.store import Store
from helmbroker.database import connect
from tests.operations.bridge.world import SEALER
from tests.postgresql import empty_database

NOTE = Note("op-1", 3, "ann", "bind db", ("addon_old",))


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    url = f"sqlite:///{tmp_path / 'bridge.db'}"
    if request.param == "postgresql":
        url = empty_database(request.getfixturevalue("postgresql_url"))
    found = Store(connect(url))
    found.prepare(SEALER.keys)
    yield found
    found.engine.dispose()


def test_a_note_is_kept_until_its_release_is_known(store: Store) -> None:
    notes = SqlNotes(store)
    assert notes.find("shop", "op-1") is None
    assert notes.begin("shop", NOTE) is None
    notes.begin("shop", replace(NOTE, base=5, waits=True))
    assert notes.find("shop", "op-1") == replace(NOTE, base=5, waits=True)
    notes.begin("shop", replace(NOTE, base=5))
    assert notes.find("shop", "op-1") == replace(NOTE, base=5)
    assert (notes.find("blog", "op-1"), notes.all("shop")) == (None, [])
    notes.made("shop", "op-1", 6)
    assert notes.begin("shop", replace(NOTE, base=9)) == 6
    assert notes.all("shop") == [replace(NOTE, base=5, version=6)]
    notes.failed("shop", 6, "it broke")
    assert notes.all("shop") == [replace(NOTE, base=5, version=6, reason="it broke")]


def test_turns_are_shared_by_all(store: Store) -> None:
    """Twelve threads with budgets of their own: never more at once than one of them would get."""
    began = time.monotonic()
    with ThreadPoolExecutor(12) as pool:
        waits = list(pool.map(lambda _: SqlBudget(store, 20).turn(0.0), range(24)))
    by_time = (time.monotonic() - began) / 4  # one in four seconds comes while they ask
    assert 5 <= waits.count(0.0) <= 6 + by_time
    assert all(0 < wait_s < 4.001 for wait_s in waits if wait_s)  # SQLite rounds


def test_who_is_idle_leaves_turns_to_others(store: Store) -> None:
    budget = SqlBudget(store, 60)
    taken = [budget.turn(0.0, idle=True) for _ in range(15)].count(0.0)
    assert 7 <= taken <= 9
    assert budget.turn(0.0) == 0.0


def test_a_turn_that_is_waited_for_is_taken(store: Store) -> None:
    budget = SqlBudget(store, 60)
    for _ in range(15):
        budget.turn(0.0)
    assert 0 < budget.turn(60.0) < budget.turn(60.0) <= 3


def test_rest_is_for_all(store: Store) -> None:
    SqlBudget(store, 60).rest(30.0)
    assert 25 < SqlBudget(store, 60).turn(0.0) <= 32
    SqlBudget(store, 60).rest(1.0)
    assert SqlBudget(store, 60).turn(0.0) > 25


def test_apps_with_resources_are_watched_until_they_have_none(store: Store) -> None:
    service, watched = Service(store, SEALER), WatchedApps(store)
    for app, name in (("shop", "my-db"), ("shop", "my-cache"), ("blog", "my-db")):
        service.create(NewResource(app, name, "postgresql", "small", {}), "ann")
    watched.gather(10.0)
    watched.gather(20.0)
    assert watched.due(9.0) == []
    assert [each.app for each in watched.due(10.0)] == ["blog", "shop"]
    with store.writing() as conn:
        watched.looked(conn, watched.due(10.0)[1], again=30.0, seen=4, born="uuid", missing_since=7.0)
        watched.advance(conn, "shop", 6)
        watched.advance(conn, "shop", 5)
        store.delete(conn, service.look("blog", "my-db").resource.uuid)
    assert watched.missing() == [WatchedApp("shop", 6, "uuid", 7.0, 30.0)]
    with store.writing() as conn:
        counted = [watched.together(conn, at, 2.0) for at in (4.9, 5.0, 9.0, 9.1)]
    assert counted == [(0, 2, 0), (1, 2, 0), (1, 2, 0), (0, 2, 0)]
    watched.gather(20.0)
    assert watched.due(29.0) == []
    watched.hurry("shop", 12.0)
    assert watched.due(12.0) == [WatchedApp("shop", 6, "uuid", 7.0, 12.0)]
    with store.writing() as conn:
        watched.forget(conn, "shop")
    assert [each.seen for each in watched.due(12.0)] == [None]


def test_what_an_operator_says_holds_while_the_app_is_missing(store: Store) -> None:
    watched = WatchedApps(store)
    Service(store, SEALER).create(NewResource("shop", "my-db", "postgresql", "small", {}), "ann")
    watched.gather(10.0)
    assert not watched.confirm("shop")
    (app,) = watched.due(10.0)
    with store.writing() as conn:
        watched.looked(conn, app, again=30.0, missing_since=7.0)
    before = watched.clock()
    assert watched.confirm("shop")
    (missing,) = watched.missing()
    assert missing.confirmed == missing.look_at
    assert before <= missing.look_at <= watched.clock()
    with store.writing() as conn:
        watched.looked(conn, app, again=30.0, missing_since=7.0)
    assert watched.missing() == [missing], "nor is the look put off that comes soon"
    (told,) = (each for each in store.audit.entries(only="shop") if each["action"] == "confirm gone")
    assert (told["outcome"], told["resource"]) == ("done", None)


def advance(store: Store, watched: WatchedApps) -> None:
    with store.writing() as conn:
        watched.advance(conn, "shop", 9)


def forget(store: Store, watched: WatchedApps) -> None:
    with store.writing() as conn:
        watched.forget(conn, "shop")


@pytest.mark.parametrize(
    "write",
    [
        lambda _store, watched: watched.hurry("shop", 20.0),
        lambda _store, watched: watched.confirm("shop"),
        advance,
        forget,
    ],
)
def test_a_look_takes_nothing_back_that_others_wrote_meanwhile(
    store: Store, write: Callable[[Store, WatchedApps], object]
) -> None:
    watched = WatchedApps(store)
    Service(store, SEALER).create(NewResource("shop", "my-db", "postgresql", "small", {}), "ann")
    watched.gather(10.0)
    (new,) = watched.due(10.0)
    with store.writing() as conn:
        watched.looked(conn, new, again=15.0, seen=4, missing_since=7.0)
    (app,) = watched.due(15.0)
    write(store, watched)
    (written,) = watched.missing()
    assert written != app
    with store.writing() as conn:
        assert watched.locked(conn, "shop") == written
        watched.looked(conn, app, again=30.0, born="uuid")
    kept_at = 30.0 if written.look_at == app.look_at else written.look_at
    assert watched.missing() == [replace(written, born="uuid", look_at=kept_at)]


def test_who_is_not_watched_cannot_be_looked_at(store: Store) -> None:
    with store.writing() as conn:
        assert WatchedApps(store).locked(conn, "shop") is None


def test_apps_are_held_by_when_they_went(store: Store) -> None:
    service, watched = Service(store, SEALER), WatchedApps(store)
    for number in range(4):
        service.create(NewResource(f"app-{number}", "my-db", "postgresql", "small", {}), "ann")
    watched.gather(10.0)
    with store.writing() as conn:
        for app, since in zip(watched.due(10.0), (100.0, 110.0, 120.0), strict=False):
            watched.looked(conn, app, again=30.0, missing_since=since)
        watched.hold(conn, 105.0, 10.0, 7)
        assert watched.together(conn, 111.0, 10.0) == (2, 4, 7)
        watched.hold(conn, 115.0, 10.0, 3)
    assert [(each.app, each.held) for each in watched.missing()] == [("app-0", 7), ("app-1", 7), ("app-2", 3)], (
        "the most of those that were counted"
    )
    assert watched.due(10.0)[0].held is None
