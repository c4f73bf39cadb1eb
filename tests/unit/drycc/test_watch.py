"""Apps of the Drycc controller are looked at, and get back what they have lost."""

from __future__ import annotations

from datetime import timedelta

from helmbroker.controller_bridge.model import BindingState
from helmbroker.durable import State
from tests.fakes.drycc.config import Refusal
from tests.operations.bridge.world import APP, DB
from tests.unit.drycc.tower import GRACE_S, POLL_S, RELEASES, Tower, bound, tower

__all__ = ["bound", "tower"]


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
