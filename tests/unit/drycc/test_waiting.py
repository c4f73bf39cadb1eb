"""With autodeploy off a release waits until somebody deploys it; the way back leaves what else waits alone."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

import pytest

from helmbroker.controller_bridge.apps.port import AppsUnavailable, Broken, ConfigChange, Healthy, Rolling
from tests.fakes.drycc_controller import Lost
from tests.unit.drycc.conftest import Bench, var

NEW = {"web": "shop:2", "worker": "shop:2"}
ROTATED = ConfigChange({"addon_db": {"DB_URI": "rotated"}})
BOTH = {"web": ["addon_db"], "worker": ["addon_db"]}


@pytest.fixture
def manual(bench: Bench) -> Bench:
    """An app with a binding that runs, whose owner deploys by hand, and a build of theirs that waits for it."""
    bench.out()
    bench.seat.rules.apps["shop"].autodeploy = False
    bench.seat.rules.push("shop", NEW)
    return bench


def undone(bench: Bench, change: ConfigChange, key: str = "op-2") -> int:
    """A change that nobody deploys in time, taken back; the number of the release that does so."""
    number = bench.change(change, key)
    assert number is not None
    bench.now += timedelta(seconds=1200)
    assert isinstance(bench.apps().rollout("shop", number), Rolling)
    if "addon_db" not in change.groups:  # references go first, and it is looked again
        with pytest.raises(AppsUnavailable, match="is taken back in steps, and one is done"):
            bench.apps().recover("shop", number, reason="too long", key=f"{key}:recover")
    back = bench.apps().recover("shop", number, reason="too long", key=f"{key}:recover")
    assert bench.apps().recover("shop", number, reason="too long", key=f"{key}:recover") == back
    assert bench.apps().rollout("shop", back) == Healthy()
    bench.apps().settle("shop", back)
    return back


def deployed(bench: Bench) -> tuple[str, dict[str, str]]:
    """What runs once the owner deploys."""
    bench.seat.rules.deploy("shop")
    bench.seat.rules.work("shop")
    return bench.seat.rules.apps["shop"].pods["web"]


def test_a_rotation_is_taken_back_and_the_build_waits_on(manual: Bench) -> None:
    assert undone(manual, ROTATED) == 6
    assert [state for _, state in manual.seat.states()[:3]] == ["created"] * 3, "nothing was deployed"
    assert deployed(manual) == ("shop:2", {"DB_URI": "s3cr3t-pw"})


def test_a_bind_is_taken_back_with_its_references(manual: Bench) -> None:
    undone(manual, ConfigChange({"addon_cache": {"CACHE_URI": "s3cr3t"}}))
    config = manual.seat.config()
    assert (config["values"], config["values_refs"]) == ([var("DB_URI", "s3cr3t-pw")], BOTH)
    assert deployed(manual) == ("shop:2", {"DB_URI": "s3cr3t-pw"})


def test_an_unbind_is_taken_back(manual: Bench) -> None:
    undone(manual, ConfigChange({"addon_db": None}))
    assert deployed(manual) == ("shop:2", {"DB_URI": "s3cr3t-pw"})


def test_config_of_the_user_that_waits_stays(manual: Bench) -> None:
    manual.seat.set(var("LEVEL", "debug", "global"))
    undone(manual, ROTATED)
    assert deployed(manual) == ("shop:2", {"LEVEL": "debug", "DB_URI": "s3cr3t-pw"})


def test_a_build_that_came_after_it_stays(bench: Bench) -> None:
    bench.out()
    bench.seat.rules.apps["shop"].autodeploy = False
    number = bench.change(ROTATED, "op-2")
    assert number is not None
    bench.seat.rules.push("shop", NEW)
    back = bench.apps().recover("shop", number, reason="too long", key="back")
    assert bench.apps().rollout("shop", back) == Healthy()
    assert deployed(bench) == ("shop:2", {"DB_URI": "s3cr3t-pw"})


def test_a_build_that_takes_it_back_itself_is_left_alone(bench: Bench) -> None:
    bench.seat.rules.apps["shop"].autodeploy = False
    number = bench.change()
    assert number is not None
    theirs = bench.seat.rules.push("shop", NEW, dryccfile={"values": []})
    back = bench.apps().recover("shop", number, reason="too long", key="back")
    assert (back, bench.apps().rollout("shop", back)) == (2, Healthy())
    assert bench.seat.states()[0] == (theirs.version, "created")


@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_a_lost_answer_makes_no_second_release(manual: Bench, method: str) -> None:
    """A bind goes back in two requests; each may have been heard."""
    number = manual.change(ConfigChange({"addon_cache": {"CACHE_URI": "s3cr3t"}}), "op-2")
    assert number == 5
    manual.seat.controller.fail(method, "/v2/apps/shop/config/", Lost)
    with pytest.raises(AppsUnavailable):
        manual.apps().recover("shop", number, reason="too long", key="back")
    with suppress(AppsUnavailable):  # the POST that is lost comes after the DELETE
        manual.apps().recover("shop", number, reason="too long", key="back")
    assert manual.apps().recover("shop", number, reason="too long", key="back") == 7
    assert manual.seat.states()[0][0] == 7


def test_where_nothing_else_waits_the_app_goes_back_to_what_runs(bench: Bench) -> None:
    """The controller refuses the config of then: it has succeeded last. A rollback to it makes it the newest."""
    bench.out()
    bench.seat.rules.apps["shop"].autodeploy = False
    number = bench.change(ROTATED, "op-2")
    assert number is not None
    back = bench.apps().recover("shop", number, reason="too long", key="back")
    bench.seat.rules.work("shop")
    assert bench.apps().rollout("shop", back) == Healthy()
    assert bench.seat.states()[0] == (back, "succeed")
    assert deployed(bench) == ("shop:1", {"DB_URI": "s3cr3t-pw"})


def test_config_of_then_that_has_succeeded_last_comes_by_a_rollback(bench: Bench) -> None:
    """The user's own changes add up to nothing, so the controller answers 409."""
    bench.out()
    bench.seat.rules.apps["shop"].autodeploy = False
    bench.seat.set(var("LEVEL", "debug", "global"))
    number = bench.change(ROTATED, "op-2")
    assert number is not None
    bench.seat.set(var("LEVEL", None, "global"))
    back = bench.apps().recover("shop", number, reason="too long", key="back")
    bench.seat.rules.work("shop")
    assert bench.apps().recover("shop", number, reason="too long", key="back") == back
    assert deployed(bench) == ("shop:1", {"DB_URI": "s3cr3t-pw"})


def test_a_release_that_was_deployed_and_crashed_goes_back_to_what_ran(manual: Bench) -> None:
    number = manual.change(ConfigChange({"addon_db": {"BREAK": "it"}}), "op-2")
    assert number is not None
    manual.seat.rules.deploy("shop")
    manual.seat.rules.work("shop")
    back = manual.apps().recover("shop", number, reason="it broke", key="back")
    manual.seat.rules.work("shop")
    assert manual.apps().rollout("shop", back) == Healthy()
    assert manual.seat.rules.apps["shop"].pods["web"] == ("shop:1", {"DB_URI": "s3cr3t-pw"})


def test_what_the_user_went_back_before_is_undone(bench: Bench) -> None:
    """Their rollback ran, without the new credentials: the old ones must not be revoked."""
    first = bench.out()
    bench.seat.rules.apps["shop"].autodeploy = False
    number = bench.change(ROTATED, "op-2")
    assert number is not None
    theirs = bench.seat.rules.roll_back("shop", first, "ann")
    bench.seat.rules.work("shop")
    bench.now += timedelta(seconds=61)
    told = f"v{number} was undone by v{theirs.version}: myteam rolled back to v{first}"
    assert bench.apps().rollout("shop", number) == Broken(told)
    assert bench.apps().recover("shop", number, reason=told, key="back") == theirs.version
    assert bench.seat.states()[0][0] == theirs.version


def test_a_build_that_brings_its_own_config_undoes_it(bench: Bench) -> None:
    bench.seat.rules.apps["shop"].autodeploy = False
    number = bench.change()
    assert number is not None
    theirs = bench.seat.rules.push("shop", NEW, dryccfile={"values": [var("LEVEL", "debug", "global")]})
    deployed(bench)
    bench.now += timedelta(seconds=61)
    assert bench.apps().rollout("shop", number) == Broken(
        f"v{number} was undone by v{theirs.version}: myteam deployed shop:2"
    )


def test_an_unbind_is_undone_by_a_release_that_refers_to_it_again(bench: Bench) -> None:
    first = bench.out()
    bench.seat.rules.apps["shop"].autodeploy = False
    number = bench.change(ConfigChange({"addon_db": None}), "op-2")
    assert number is not None
    bench.seat.rules.roll_back("shop", first, "ann")
    bench.seat.rules.work("shop")
    bench.now += timedelta(seconds=61)
    assert isinstance(bench.apps().rollout("shop", number), Broken)


def test_a_newer_release_with_it_is_healthy_though_another_waits(manual: Bench) -> None:
    number = manual.change(ROTATED, "op-2")
    assert number is not None
    manual.seat.set(var("LEVEL", "debug", "global"))
    deployed(manual)
    manual.seat.set(var("LEVEL", "info", "global"))
    manual.now += timedelta(seconds=61)
    assert manual.apps().rollout("shop", number) == Healthy()


def test_a_release_of_theirs_that_has_it_and_is_deployed_is_waited_for_and_changed_back(bench: Bench) -> None:
    """It is not what the app has gone back to: the credentials in it are about to be revoked."""
    bench.out()
    number = bench.change(ROTATED, "op-2")
    assert number is not None
    bench.seat.rules.apps["shop"].locked.clear()  # its worker has died
    bench.seat.rules.release("shop", number).pipeline = None
    theirs = bench.seat.rules.push("shop", NEW)
    with pytest.raises(AppsUnavailable, match="app shop is being deployed"):
        bench.apps().recover("shop", number, reason="too long", key="back")
    bench.seat.rules.work("shop")
    back = bench.apps().recover("shop", number, reason="too long", key="back")
    assert back > theirs.version
    assert bench.apps().recover("shop", number, reason="too long", key="back") == back
    assert isinstance(bench.apps().rollout("shop", back), Rolling)
    bench.seat.rules.work("shop")
    assert bench.apps().rollout("shop", back) == Healthy()
    assert bench.seat.rules.apps["shop"].pods["web"] == ("shop:2", {"DB_URI": "s3cr3t-pw"})


def test_without_autodeploy_what_takes_back_a_release_that_runs_has_to_be_deployed(bench: Bench) -> None:
    bench.out()
    bench.seat.rules.apps["shop"].autodeploy = False
    number = bench.change(ROTATED, "op-2")
    assert number is not None
    bench.seat.rules.push("shop", NEW)
    assert deployed(bench) == ("shop:2", {"DB_URI": "rotated"})
    back = bench.apps().recover("shop", number, reason="too long", key="back")
    bench.now += timedelta(seconds=61)
    seen = bench.apps().rollout("shop", back)
    assert isinstance(seen, Rolling)
    assert "deploy it by" in seen.reason
    assert deployed(bench) == ("shop:2", {"DB_URI": "s3cr3t-pw"})


def test_autodeploy_is_asked_before_each_step_back(manual: Bench) -> None:
    """Switched on in between, it deploys the rest; which is watched, then."""
    number = manual.change(ConfigChange({"addon_cache": {"CACHE_URI": "s3cr3t"}}), "op-2")
    assert number is not None
    with pytest.raises(AppsUnavailable, match="is taken back in steps"):
        manual.apps().recover("shop", number, reason="too long", key="back")
    manual.seat.rules.apps["shop"].autodeploy = True
    back = manual.apps().recover("shop", number, reason="too long", key="back")
    assert isinstance(manual.apps().rollout("shop", back), Rolling)
    manual.seat.rules.work("shop")
    assert manual.apps().rollout("shop", back) == Healthy()
    assert manual.seat.rules.apps["shop"].pods["web"] == ("shop:2", {"DB_URI": "s3cr3t-pw"})


def test_what_is_taken_back_from_running_pods_goes_one_rollout_at_a_time(bench: Bench) -> None:
    """A POST after the DELETE would hide how that ended."""
    number = bench.change()
    assert number is not None
    bench.seat.rules.apps["shop"].locked.clear()
    bench.seat.rules.release("shop", number).pipeline = None
    bench.seat.rules.push("shop", NEW)
    bench.seat.rules.work("shop")
    bench.now += timedelta(seconds=3601)
    bench.seat.rules.now = lambda: bench.now.strftime("%Y-%m-%dT%H:%M:%SZ")
    with pytest.raises(AppsUnavailable, match="is taken back in steps"):
        bench.apps().recover("shop", number, reason="too long", key="back")
    with pytest.raises(AppsUnavailable, match="is being deployed"):
        bench.apps().recover("shop", number, reason="too long", key="back")
    bench.seat.rules.work("shop")
    back = bench.apps().recover("shop", number, reason="too long", key="back")
    bench.seat.rules.work("shop")
    assert bench.apps().rollout("shop", back) == Healthy()
    assert (bench.seat.config()["values"], bench.seat.rules.apps["shop"].pods["web"]) == ([], ("shop:2", {}))


@pytest.mark.parametrize("ended", [True, False])
def test_what_runs_below_a_release_that_waits_is_not_overlooked(manual: Bench, ended: bool) -> None:
    """Theirs has the change and was deployed; more of theirs waits on top of it. It counts as running."""
    number = manual.change(ROTATED, "op-2")
    assert number is not None
    manual.seat.set(var("LEVEL", "debug", "global"))
    manual.seat.rules.deploy("shop")
    if ended:
        manual.seat.rules.work("shop")
    manual.seat.set(var("LEVEL", "info", "global"))
    if not ended:
        with pytest.raises(AppsUnavailable, match="is being deployed"):
            manual.apps().recover("shop", number, reason="too long", key="back")
        manual.seat.rules.work("shop")
    back = manual.apps().recover("shop", number, reason="too long", key="back")
    assert isinstance(manual.apps().rollout("shop", back), Rolling), "its credentials would be revoked"
    assert deployed(manual) == ("shop:2", {"LEVEL": "info", "DB_URI": "s3cr3t-pw"})
    assert manual.apps().rollout("shop", back) == Healthy()
