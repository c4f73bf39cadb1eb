"""DryccAppReleases: what the contract does not say, against a controller that fails in every known way."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from threading import Event

import pytest

from helmbroker.controller_bridge.apps.drycc.client import READ_S, ControllerClient, TokenFile
from helmbroker.controller_bridge.apps.port import (
    AppNotFound,
    AppsUnavailable,
    Broken,
    CannotRelease,
    ConfigChange,
    Healthy,
    Rolling,
)
from tests.fakes.drycc.config import Refusal
from tests.fakes.drycc.lock import LONGEST_S
from tests.fakes.drycc_controller import Lost
from tests.unit.drycc.conftest import DATABASE, WHO, Bench, var

CONFIG = "/v2/apps/shop/config/"
BROKEN = ConfigChange({"addon_db": {"BREAK": "s3cr3t-pw"}})
GONE = ConfigChange({"addon_db": None})


def test_a_lost_answer_is_found_again(bench: Bench) -> None:
    bench.seat.controller.fail("POST", CONFIG, Lost)
    with pytest.raises(AppsUnavailable, match="does not answer"):
        bench.change()
    assert bench.change() == 3
    assert bench.change() == 3
    assert bench.seat.states()[0][0] == 3


def test_a_lost_answer_is_found_again_though_the_release_crashed(bench: Bench) -> None:
    """It is not sent again: that would be another rollout that crashes."""
    bench.seat.controller.fail("POST", CONFIG, Lost)
    with pytest.raises(AppsUnavailable):
        bench.change(BROKEN)
    bench.seat.rules.work("shop")
    assert bench.change(BROKEN) == 3
    assert bench.seat.states()[0] == (3, "crashed")


def test_a_lost_rollback_is_found_again(bench: Bench) -> None:
    bench.change(BROKEN)
    bench.seat.rules.work("shop")
    bench.seat.controller.fail("POST", "/v2/apps/shop/releases/rollback/", Lost)
    with pytest.raises(AppsUnavailable):
        bench.apps().recover("shop", 3, reason="it broke", key="back")
    assert bench.apps().recover("shop", 3, reason="it broke", key="back") == 4
    assert bench.seat.states()[0][0] == 4


def test_what_the_user_made_after_a_rollback_that_was_not_heard_stays(bench: Bench) -> None:
    bench.change(BROKEN)
    bench.seat.rules.work("shop")
    bench.seat.controller.fail("POST", "/v2/apps/shop/releases/rollback/", Refusal(503, {"detail": "Server Error"}))
    with pytest.raises(AppsUnavailable):
        bench.apps().recover("shop", 3, reason="it broke", key="back")
    theirs = bench.seat.rules.push("shop", {"web": "shop:2", "worker": "shop:2"})
    bench.seat.rules.work("shop")
    assert bench.apps().recover("shop", 3, reason="it broke", key="back") == theirs.version
    assert bench.seat.states()[0] == (theirs.version, "succeed")


def test_while_a_pipeline_executes_it_is_tried_later_and_later(bench: Bench) -> None:
    bench.seat.rules.now = lambda: bench.now.strftime("%Y-%m-%dT%H:%M:%SZ")
    bench.seat.set(var("A", "1", "global"))
    waits = []
    for _ in range(6):
        with pytest.raises(AppsUnavailable, match="app shop is being deployed") as caught:
            bench.change()
        waits.append(caught.value.after_s)
        bench.now += timedelta(seconds=60)
    assert waits == [5.0, 15.0, 30.0, 45.0, 60.0, 60.0]
    bench.seat.rules.work("shop")
    assert bench.change() == 4


def test_a_lock_of_the_app_is_waited_for_as_long_as_the_controller_does(bench: Bench) -> None:
    """The request blocks; the client is more patient than the controller."""
    assert READ_S >= LONGEST_S + 30
    lock = bench.seat.rules.apps["shop"].lock
    assert lock.acquire()
    with ThreadPoolExecutor(1) as pool:
        made = pool.submit(bench.change)
        assert lock.waited.wait(10)
        lock.release()
        assert made.result(10) == 3


def test_a_lock_that_nobody_gives_back_is_a_pipeline_that_executes(bench: Bench) -> None:
    lock = bench.seat.rules.apps["shop"].lock
    lock.longest_s = 0.0
    assert lock.acquire()
    with pytest.raises(AppsUnavailable, match="app shop is being deployed"):
        bench.change()
    lock.release()
    assert bench.change() == 3


def test_a_request_that_is_given_up_and_goes_through_all_the_same_is_found(bench: Bench) -> None:
    """Whoever held the lock for longer than the client waits lets the request through at last."""
    bench.client = ControllerClient(bench.seat.controller.url, read_s=0.2)
    rules, lock = bench.seat.rules, bench.seat.rules.apps["shop"].lock
    through = Event()
    rules.on_release = lambda *_: through.set()
    assert lock.acquire()
    with pytest.raises(AppsUnavailable, match="no answer within"):
        bench.change()
    lock.release()
    assert through.wait(10)
    bench.client = ControllerClient(bench.seat.controller.url)
    assert bench.change() == 3
    assert [number for number, _ in bench.seat.states()] == [3, 2, 1]


def test_a_race_for_a_number_is_tried_again(bench: Bench) -> None:
    text = 'duplicate key value violates unique constraint "api_release_app_id_version_key"'
    bench.seat.controller.fail("POST", CONFIG, Refusal(400, {"detail": text}))
    with pytest.raises(AppsUnavailable):
        bench.change()
    assert bench.change() == 3


def test_nothing_changed_is_no_fault(bench: Bench) -> None:
    bench.seat.controller.fail("POST", CONFIG, Refusal(409, {"detail": "myteam changed nothing - release stopped"}))
    assert bench.change() is None


def test_a_refusal_never_repeats_the_values(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    bench.seat.controller.fail("POST", CONFIG, Refusal(400, {"values": ["could not validate [s3cr3t-pw]"]}))
    with pytest.raises(CannotRelease, match=r"refuses the change of app shop \(HTTP 400\)") as caught:
        bench.change()
    assert "s3cr3t" not in str(caught.value) + caplog.text


@pytest.mark.parametrize("status", [500, 502, 503])
def test_a_controller_that_cannot_is_asked_again(bench: Bench, status: int) -> None:
    bench.seat.controller.fail("GET", CONFIG, Refusal(status, {"detail": "Server Error"}))
    with pytest.raises(AppsUnavailable, match=f"HTTP {status}"):
        bench.change()
    assert bench.change() == 3


def test_not_staff(bench: Bench) -> None:
    bench.token = lambda: bench.seat.tokens["stranger"]
    with pytest.raises(AppsUnavailable, match=r"HTTP 403.*put the token of a staff user"):
        bench.change()


def test_something_that_is_no_controller(bench: Bench) -> None:
    """An HTML page with 404 says nothing about an app."""
    bench.client = ControllerClient(f"{bench.seat.controller.url}/elsewhere")
    with pytest.raises(AppsUnavailable, match="is it a Drycc controller"):
        bench.change()


def test_nobody_answers(bench: Bench) -> None:
    bench.client = ControllerClient("http://127.0.0.1:1")
    with pytest.raises(AppsUnavailable, match=r"the controller at 127\.0\.0\.1:1 does not answer"):
        bench.change()


def test_no_app(bench: Bench) -> None:
    with pytest.raises(AppNotFound, match="there is no app none"):
        bench.apps().change_config("none", DATABASE, **WHO, key="k")


def test_unbind_is_one_rollout_and_leaves_nothing(bench: Bench) -> None:
    bench.out()
    assert bench.seat.rules.apps["shop"].environment("web") == {"DB_URI": "s3cr3t-pw"}
    number = bench.out(GONE, "op-2")
    assert bench.seat.states()[:2] == [(number + 1, "succeed"), (number, "succeed")]
    assert bench.seat.rules.release("shop", number + 1).pipeline == []
    config = bench.seat.config()
    assert (config["values"], config["values_refs"]) == ([], {"web": [], "worker": []})


def test_an_app_without_a_build_has_its_credentials_at_once(bench: Bench) -> None:
    apps = bench.apps()
    number = apps.change_config("bare", DATABASE, **WHO, key="k")
    assert number == 2
    assert apps.rollout("bare", number) == Healthy()
    bench.seat.rules.push("bare", {"web": "shop:1"})
    bench.seat.rules.work("bare")
    assert bench.seat.rules.apps["bare"].environment("web") == {}
    assert apps.change_config("bare", DATABASE, **WHO, key="k2") == 4
    bench.seat.rules.work("bare")
    assert bench.seat.rules.apps["bare"].environment("web") == {"DB_URI": "s3cr3t-pw"}


def test_without_autodeploy_it_is_said_what_to_do(bench: Bench) -> None:
    bench.seat.rules.apps["shop"].autodeploy = False
    number = bench.change()
    assert number is not None
    bench.now += timedelta(seconds=61)
    bench.seat.controller.calls.clear()
    seen = bench.apps().rollout("shop", number)
    assert seen == Rolling("autodeploy of the app is off: deploy it by `drycc releases deploy`", 30.0)
    assert len(bench.seat.controller.calls) == 3


def test_a_release_that_never_ended_is_healthy_in_a_newer_one(bench: Bench) -> None:
    """Its worker died; whoever deployed after that took its config along."""
    number = bench.change()
    assert number is not None
    bench.seat.rules.apps["shop"].locked.clear()
    bench.seat.rules.release("shop", number).pipeline = None
    bench.seat.rules.push("shop", {"web": "shop:2", "worker": "shop:2"})
    bench.seat.rules.work("shop")
    bench.now += timedelta(seconds=61)
    assert bench.seat.states()[:2] == [(4, "succeed"), (3, "created")]
    assert bench.apps().rollout("shop", number) == Healthy()


def test_a_crash_is_told_without_values(bench: Bench) -> None:
    number = bench.change(BROKEN)
    assert number is not None
    bench.seat.rules.work("shop")
    seen = bench.apps().rollout("shop", number)
    assert seen == Broken("process type web: the pod ended after it had read BREAK=$BREAK")


def test_going_back_to_another_build_brings_the_newest_credentials(bench: Bench) -> None:
    first = bench.out()
    bench.seat.rules.push("shop", {"web": "shop:2", "worker": "shop:2"})
    bench.seat.rules.work("shop")
    bench.out(ConfigChange({"addon_db": {"DB_URI": "rotated"}}), "rotate")
    with pytest.raises(AppsUnavailable, match="is being deployed"):
        bench.apps().rollback("shop", first, author="bob", key="r")
    bench.seat.rules.work("shop")
    number = bench.apps().rollback("shop", first, author="bob", key="r")
    assert bench.apps().rollback("shop", first, author="bob", key="r") == number
    bench.seat.rules.work("shop")
    assert bench.seat.rules.apps["shop"].pods["web"] == ("shop:1", {"DB_URI": "rotated"})
    assert bench.seat.states()[0][0] == number


def test_a_rollback_waits_for_a_pipeline_which_the_controller_would_not(bench: Bench) -> None:
    first = bench.out()
    bench.seat.rules.push("shop", {"web": "shop:2", "worker": "shop:2"})
    before = bench.seat.states()
    with pytest.raises(AppsUnavailable, match="app shop is being deployed"):
        bench.apps().rollback("shop", first, author="bob", key="r")
    assert bench.seat.states() == before
    bench.seat.rules.work("shop")
    assert bench.apps().rollback("shop", first, author="bob", key="r") == before[0][0] + 1


def test_a_pipeline_that_cannot_have_the_lock_any_more_is_not_waited_for(bench: Bench) -> None:
    """The controller's lock ends after an hour."""
    first = bench.out()
    bench.seat.rules.push("shop", {"web": "shop:2", "worker": "shop:2"})
    bench.now += timedelta(seconds=3601)
    assert bench.apps().rollback("shop", first, author="bob", key="r") == first + 2


def test_the_way_back_does_not_wait_for_the_pipeline_that_took_too_long(bench: Bench) -> None:
    number = bench.change()
    assert number is not None
    assert bench.apps().recover("shop", number, reason="too long", key="back") == number + 1


def test_a_throttle_is_respected_by_all(bench: Bench) -> None:
    bench.seat.controller.fail("GET", CONFIG, Refusal(429, {"detail": "throttled"}))
    with pytest.raises(AppsUnavailable) as caught:
        bench.change()
    assert caught.value.after_s == 60.0
    before = len(bench.seat.controller.calls)
    with pytest.raises(AppsUnavailable, match="are used up for") as used:
        bench.apps().releases("shop")
    assert 50 < used.value.after_s < 61  # 60, and a turn of its own
    assert len(bench.seat.controller.calls) == before


def test_requests_come_evenly_once_the_first_are_used(bench: Bench) -> None:
    """60 a minute: 15 at once, then 45 a minute, so that no minute sees more than 60."""
    apps = bench.apps(60)
    for _ in range(15):
        apps.releases("bare")  # with the one config at the first time
        if len(bench.seat.controller.calls) >= 14:
            break
    assert bench.waits == []
    for _ in range(3):
        apps.releases("bare")
    assert bench.waits
    assert bench.waits == sorted(bench.waits)
    assert 0 < bench.waits[-1] < 60 / 45 * len(bench.waits) + 0.001  # the database rounds


def test_the_token_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "token"
    token = TokenFile(file, "the token of a staff user")
    with pytest.raises(AppsUnavailable, match="lacks the token of a staff user"):
        token()
    file.write_text("one\n")
    assert token() == "one"
    file.unlink()
    file.write_text("another")
    assert token() == "another"


@pytest.fixture
def long(bench: Bench) -> Bench:
    """An app with many releases."""
    for number in range(130):
        bench.seat.rules.change_config("shop", {"values": [var("A", str(number), "global")]}, "ann")
        bench.seat.rules.work("shop")
    bench.seat.controller.calls.clear()
    return bench


def test_a_page_is_one_request_and_its_first_configs_once(long: Bench) -> None:
    apps, calls = long.apps(), long.seat.controller.calls
    for limit, offset, requests in ((3, 0, 4), (3, 0, 1), (20, 0, 8), (20, 0, 1), (100, 100, 11)):
        count, found = apps.page("shop", limit=limit, offset=offset)
        assert (count, found[0].version, len(found)) == (132, 132 - offset, min(limit, 132 - offset))
        assert len(calls) == requests, (limit, offset)
        calls.clear()


def test_one_release_is_one_request_and_its_config_once(long: Bench) -> None:
    apps, calls = long.apps(), long.seat.controller.calls
    for requests in (2, 1):
        found = apps.release("shop", 3)
        assert found is not None
        assert (found.version, found.config) == (3, {"global": ("A",)})
        assert len(calls) == requests
        calls.clear()
    assert apps.release("shop", 999) is None


def test_a_rollback_reads_no_more_than_it_needs(long: Bench) -> None:
    """Not the pages of all releases before the one to go back to."""
    number = long.apps().rollback("shop", 3, author="bob", key="r")
    asked = long.seat.controller.calls
    assert len(asked) <= 8
    assert asked.count(("GET", "/v2/apps/shop/releases/")) <= 3
    assert number == 133


def test_few_requests_tell_many_releases(bench: Bench) -> None:
    for number in range(12):
        bench.seat.set(var("A", str(number), "global"))
        bench.seat.rules.work("shop")
    apps, calls = bench.apps(), bench.seat.controller.calls
    calls.clear()
    assert [one.version for one in apps.releases("shop")] == list(range(14, 0, -1))
    assert len(calls) == 11
    assert apps.releases("shop")[0].config == {"global": ("A",)}
