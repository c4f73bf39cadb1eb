"""Apps under a controller are looked at: what takes their credentials is mended once, and who is gone is let go."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
import sqlalchemy as sa

from helmbroker.controller_bridge.apps.drycc.budget import Turns
from helmbroker.controller_bridge.apps.drycc.calls import Calls
from helmbroker.controller_bridge.apps.drycc.client import ControllerClient
from helmbroker.controller_bridge.apps.drycc.releases import DryccAppReleases
from helmbroker.controller_bridge.broker_port import BrokerError
from helmbroker.controller_bridge.drycc_store import SqlBudget, SqlNotes, WatchedApps
from helmbroker.controller_bridge.drycc_watch import EVERY_S, Watch
from helmbroker.controller_bridge.model import BindingState, InstanceState, Kind
from helmbroker.controller_bridge.operations.handlers import handlers
from helmbroker.controller_bridge.operations.work import Pace, Ports
from helmbroker.controller_bridge.service import NewResource, Refused
from helmbroker.controller_bridge.sharing import Sharing
from helmbroker.durable import Context, Operation, State
from tests.fakes.drycc.config import Refusal
from tests.operations.bridge.world import APP, DB, SEALER, World
from tests.operations.harness import Disturbed
from tests.unit.drycc.conftest import Seat

POLL_S, GRACE_S = 900.0, 86400.0
RELEASES = "/v2/apps/shop/releases/"


class Unbothered:
    """The context of a schedule that nobody ends."""

    def check(self) -> None:
        """Go on."""


class Passing(Disturbed):
    """A claim whose pauses cost no time: pipelines end in them."""

    deploy: Callable[[], None]

    def wait(self, seconds: float) -> None:
        self.check()
        self.deploy()


class Tower:
    """A bridge over a controller, with the clock of the test. Pipelines end whenever operations wait."""

    def __init__(self, seat: Seat, folder: Path) -> None:
        self.seat, self.rules, self.world = seat, seat.rules, World(folder)
        self.store, self.service, self.broker = self.world.store, self.world.service, self.world.broker
        self.now = datetime.now(UTC)
        self.rules.now = lambda: self.now.strftime("%Y-%m-%dT%H:%M:%SZ")
        ports = Ports(self.store, self.world.brokers, self.apps(), SEALER, Pace(0.0, 0.0), 0.0)
        self.world.hand.worker.handlers = handlers(ports)
        self.world.hand.claims = type("Claim", (Passing,), {"deploy": self.deploy})

    def calls(self, per_minute: int = 10**6, *, idle: bool = False) -> Calls:
        turns = Turns(SqlBudget(self.store, per_minute), idle=idle)
        return Calls(ControllerClient(self.seat.controller.url), lambda: self.seat.controller.staff, turns)

    def apps(self) -> DryccAppReleases:
        return DryccAppReleases(self.calls(), SqlNotes(self.store), now=lambda: self.now)

    def look(
        self, after_s: float = 0.0, per_minute: int = 10**6, meanwhile: Callable[[], object] = lambda: None
    ) -> str:
        """One run of the schedule. meanwhile: what others do when the first look has begun."""
        self.now += timedelta(seconds=after_s)
        others: list[Callable[[], object]] = [meanwhile, lambda: None]

        def clock() -> float:
            if others:
                others.pop()()
            return self.now.timestamp()

        watch = Watch(self.store, self.service, self.calls(per_minute, idle=True), POLL_S, GRACE_S, clock)
        return watch.run(cast("Context", Unbothered()))

    def work(self) -> None:
        """Operations run to their ends, pipelines too."""
        for _ in range(100):
            self.world.hand.pass_time()
            if not self.world.hand.turn():
                return
            self.deploy()

    def deploy(self, _claim: object = None) -> None:
        """All pipelines end."""
        for app in self.rules.apps:
            self.rules.work(app)

    def bind(self, name: str = DB) -> None:
        """A resource whose credentials are live in the app."""
        self.service.create(NewResource(APP, name, "postgresql", "small", {}), "alice")
        self.work()
        self.service.bind(APP, name, "alice")
        self.work()
        assert self.resource(name).binding is BindingState.READY

    def resource(self, name: str = DB) -> Any:
        return self.service.look(APP, name).resource

    def environment(self) -> dict[str, str]:
        return self.rules.apps[APP].environment("web")

    def push(self, image: str = "shop:2", *, wipes: bool = True) -> None:
        """A build; with a dryccfile it takes what was injected."""
        images = {"web": image, "worker": image}
        self.rules.push(APP, images, dryccfile={"values": []} if wipes else None)
        self.rules.work(APP)

    def reinjections(self) -> list[Operation]:
        with self.store.reading() as conn:
            ids = conn.scalars(sa.text("SELECT id FROM operations WHERE kind = 'reinject' ORDER BY seq")).all()
        return [self.world.hand.operation(id_) for id_ in ids]


@pytest.fixture
def tower(seat: Seat, tmp_path: Path) -> Iterator[Tower]:
    found = Tower(seat, tmp_path)
    yield found
    found.store.engine.dispose()


@pytest.fixture
def bound(tower: Tower) -> Tower:
    """An app with a binding, looked at."""
    tower.bind()
    tower.look()
    tower.work()
    return tower


def test_a_bind_is_live_when_it_is_ready(bound: Tower) -> None:
    assert set(bound.environment()) == {"MY_DB_PORT", "MY_DB_URI"}
    assert bound.environment() == bound.rules.apps[APP].environment("worker")


def test_the_first_look_finds_all_in_place(bound: Tower) -> None:
    (only,) = bound.reinjections()
    assert (only.state, only.description) == (State.SUCCEEDED, "The app has all of it")


def test_nothing_new_costs_one_request(bound: Tower) -> None:
    bound.look(POLL_S + 1)
    bound.work()
    bound.seat.controller.calls.clear()
    assert bound.look(POLL_S + 1) == "looked at 1 apps"
    assert bound.seat.controller.calls == [("GET", RELEASES)]


def test_nobody_is_looked_at_before_it_is_time(bound: Tower) -> None:
    assert bound.look(POLL_S - 1) == "looked at 0 apps"


def test_a_build_with_a_dryccfile_gets_the_credentials_back(bound: Tower) -> None:
    before = bound.environment()
    bound.push()
    assert bound.environment() == {}
    bound.look(POLL_S + 1)
    bound.work()
    assert bound.environment() == before
    assert bound.rules.apps[APP].pods["web"][0] == "shop:2"
    assert bound.reinjections()[-1].description.startswith("The credentials are back in the app with release v")


def test_a_rollback_by_others_gets_the_newest_credentials(bound: Tower) -> None:
    first = bound.seat.states()[0][0]
    bound.service.rotate(APP, DB, "alice")
    bound.work()
    rotated = bound.environment()
    bound.rules.roll_back(APP, first, "ann")
    bound.rules.work(APP)
    assert bound.environment() != rotated
    bound.look(POLL_S + 1)
    bound.work()
    assert bound.environment() == rotated


def test_a_rollback_does_not_raise_what_was_unbound(bound: Tower) -> None:
    first = bound.seat.states()[0][0]
    bound.service.unbind(APP, DB, "alice")
    bound.work()
    bound.service.destroy(APP, DB, "alice")
    bound.work()
    bound.bind("my-cache")
    bound.rules.roll_back(APP, first, "ann")
    bound.rules.work(APP)
    assert "MY_DB_URI" in bound.environment()
    bound.look(POLL_S + 1)
    bound.work()
    assert set(bound.environment()) == {"MY_CACHE_PORT", "MY_CACHE_URI"}
    assert bound.seat.config()["values_refs"] == {"web": ["addon_my_cache"], "worker": ["addon_my_cache"]}


def test_what_crashes_is_not_tried_again_until_a_better_release(bound: Tower) -> None:
    bound.push()
    good = dict(bound.environment())
    bound.rules._breaks = lambda _ptype, variables: "MY_DB_URI is too long" if "MY_DB_URI" in variables else None
    bound.look(POLL_S + 1)
    bound.work()
    failed = bound.reinjections()[-1]
    assert failed.state is State.FAILED
    assert "MY_DB_URI is too long; the app runs without these credentials" in failed.description
    assert bound.service.look(APP, DB).message == failed.description
    assert bound.resource().binding is BindingState.READY
    assert bound.environment() == good
    released = len(bound.seat.states())
    for _ in range(5):
        bound.look(POLL_S + 1)
        bound.work()
    assert len(bound.seat.states()) == released
    bound.rules._breaks = lambda _ptype, _variables: None
    bound.push("shop:3")
    bound.look(POLL_S + 1)
    bound.work()
    assert "MY_DB_URI" in bound.environment()


def test_a_repair_ends_though_the_way_back_is_refused(bound: Tower) -> None:
    """Pods of a release that has crashed are those of before anyway."""
    bound.push()
    bound.rules._breaks = lambda _ptype, variables: "no" if "MY_DB_URI" in variables else None
    bound.seat.controller.fail("POST", f"{RELEASES}rollback/", Refusal(400, {"detail": "no"}))
    bound.look(POLL_S + 1)
    bound.work()
    failed = bound.reinjections()[-1]
    assert failed.state is State.FAILED
    tried = len(bound.reinjections())
    bound.look(POLL_S + 1)
    assert len(bound.reinjections()) == tried


def test_each_worse_release_is_one_try(bound: Tower) -> None:
    bound.rules._breaks = lambda _ptype, variables: "no" if "MY_DB_URI" in variables else None
    for number in range(3):
        before = len(bound.reinjections())
        bound.push(f"shop:{number + 2}")
        for _ in range(3):
            bound.look(POLL_S + 1)
            bound.work()
        assert len(bound.reinjections()) == before + 1


def test_the_user_may_have_it_tried_again(bound: Tower) -> None:
    bound.push()
    bound.rules._breaks = lambda _ptype, variables: "no" if "MY_DB_URI" in variables else None
    bound.look(POLL_S + 1)
    bound.work()
    bound.rules._breaks = lambda _ptype, _variables: None
    bound.service.rotate(APP, DB, "alice")
    bound.work()
    assert "MY_DB_URI" in bound.environment()


def test_a_crashed_build_of_the_user_is_not_ours(bound: Tower) -> None:
    bound.rules._breaks = lambda _ptype, _variables: "syntax error"
    bound.push(wipes=False)
    before = len(bound.reinjections())
    bound.look(POLL_S + 1)
    assert len(bound.reinjections()) == before
    assert "MY_DB_URI" in bound.environment()


def test_while_it_is_deployed_it_is_looked_at_again_soon(bound: Tower) -> None:
    bound.now += timedelta(seconds=POLL_S + 1)
    bound.rules.push(APP, {"web": "shop:2", "worker": "shop:2"}, dryccfile={"values": []})
    before = len(bound.reinjections())
    bound.look()
    assert len(bound.reinjections()) == before
    bound.rules.work(APP)
    bound.look(31)
    assert len(bound.reinjections()) == before + 1


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


def test_a_controller_that_was_restored_gets_the_credentials_again(bound: Tower) -> None:
    """Its releases count back, and its apps are the same."""
    bound.push()
    bound.look(POLL_S + 1)
    bound.work()
    shop = bound.rules.apps[APP]
    shop.releases, shop.pods = shop.releases[:2], {}
    bound.rules.deploy(APP, force=True)
    bound.rules.work(APP)
    bound.look(POLL_S + 1)
    bound.work()
    assert "MY_DB_URI" in bound.seat.config()["values"][-1]["name"]
    bound.look(GRACE_S + 1)
    bound.work()
    assert len(bound.broker.bindings) == 1


def test_with_autodeploy_off_a_repair_that_nobody_deploys_is_tried_once(bound: Tower) -> None:
    """What takes it back is no news, and the build of the user waits on."""
    bound.push()
    bound.rules.apps[APP].autodeploy = False
    bound.rules.push(APP, {"web": "shop:3", "worker": "shop:3"})
    bound.look(POLL_S + 1)
    bound.look(1800)
    (repair,) = (each for each in bound.reinjections() if not each.state.finished)
    bound.world.shorten(repair.id, to_s=400)
    bound.work()
    told = bound.world.hand.operation(repair.id).description
    assert "took too long" in told
    assert "could not" not in told
    newest = bound.rules.apps[APP].releases[-1]
    assert newest.build is not None
    assert (newest.build.images["web"], newest.state, newest.config.environment("web")) == ("shop:3", "created", {})
    tried, released = len(bound.reinjections()), len(bound.seat.states())
    for _ in range(3):
        bound.look(1801)
        bound.work()
    assert (len(bound.reinjections()), len(bound.seat.states())) == (tried, released)


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


def test_an_unbind_leaves_a_release_of_the_user_alone(bound: Tower) -> None:
    """The credentials are gone already, and what is being deployed is not ours to take back."""
    bound.push()
    bound.rules.push(APP, {"web": "shop:9", "worker": "shop:9"})
    theirs = bound.seat.states()[0][0]
    bound.rules._breaks = lambda _ptype, _variables: "syntax error"
    bound.service.unbind(APP, DB, "alice")
    bound.work()
    assert bound.seat.states()[0] == (theirs, "crashed")
    assert bound.resource().binding is BindingState.UNBOUND


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
