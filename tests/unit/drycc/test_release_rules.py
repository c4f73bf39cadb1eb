"""The controller for tests follows what is known of the real one: releases, locks, hooks (sections 3.3 and 3.4)."""

from __future__ import annotations

import hashlib
import hmac
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
import requests

from tests.fakes.drycc.config import Refusal
from tests.fakes.drycc_controller import Lost
from tests.unit.drycc.conftest import IMAGE, Seat, var

RELEASES = "/v2/apps/shop/releases/"
BOTH = {"web": ["addon_db"], "worker": ["addon_db"]}


def test_the_keys_of_a_release(seat: Seat) -> None:
    newest = seat("GET", f"{RELEASES}v2/").json()
    assert {"uuid", "app", "version", "state", "failed", "summary", "exception", "conditions"} < set(newest)
    assert {"deployed_ptypes", "config", "build", "created", "updated"} < set(newest)
    assert (newest["state"], newest["failed"], newest["deployed_ptypes"]) == ("succeed", False, ["web", "worker"])


def test_pages(seat: Seat) -> None:
    page = seat("GET", f"{RELEASES}?limit=1").json()
    assert (page["count"], page["previous"], page["results"][0]["version"]) == (2, None, 2)
    assert seat("GET", page["next"].removeprefix(seat.controller.url)).json()["results"][0]["version"] == 1


def test_a_broken_deploy_is_accepted_and_crashes_later(seat: Seat) -> None:
    assert seat.set(var("BREAK", "it"), refs=BOTH).status_code == 201
    seat.rules.work("shop")
    crashed = seat("GET", f"{RELEASES}v3/").json()
    assert (crashed["state"], crashed["failed"]) == ("crashed", True)
    assert "BREAK=it" in crashed["conditions"][0]["exception"]


@pytest.mark.parametrize("autorollback", [True, False])
def test_pods_of_a_broken_process_type_stay_as_they_were(seat: Seat, autorollback: bool) -> None:
    seat.rules.apps["shop"].autorollback = autorollback
    seat.set(var("BREAK", "it"), var("OK", "1", "fine"), refs={"web": ["addon_db"], "worker": ["fine"]})
    seat.rules.work("shop")
    assert seat.rules.apps["shop"].environment("web") == {}
    assert (seat.rules.apps["shop"].environment("worker") == {}) is autorollback


def test_created_for_ever_without_a_build(seat: Seat) -> None:
    seat.set(var("A", "1"), app="bare")
    seat.rules.work("bare")
    assert seat.states("bare") == [(2, "created"), (1, "created")]
    assert seat("GET", "/v2/apps/bare/ptypes/").json()["results"] == []


def test_created_for_ever_without_autodeploy_until_somebody_deploys(seat: Seat) -> None:
    seat.rules.apps["shop"].autodeploy = False
    seat.set(var("A", "1"), refs=BOTH)
    seat.rules.work("shop")
    assert seat.states()[0] == (3, "created")
    assert seat("GET", "/v2/apps/shop/settings/").json()["autodeploy"] is False
    assert seat("POST", f"{RELEASES}deploy/", {"ptypes": "", "force": False}).status_code == 204
    seat.rules.work("shop")
    assert seat.states()[0] == (3, "succeed")


def test_while_a_pipeline_executes_nothing_is_saved(seat: Seat) -> None:
    seat.set(var("A", "1"), refs=BOTH)
    answer = seat.set(var("B", "1"))
    said = "there is an executing pipeline, please wait or force deploy: ['web', 'worker']"
    assert (answer.status_code, answer.json()) == (400, {"detail": said})
    assert seat.config()["values"] == [var("A", "1")]


def test_a_request_waits_for_the_lock_of_the_app(seat: Seat) -> None:
    """Section 3.3: it may take two minutes."""
    lock = seat.rules.apps["shop"].lock
    assert lock.longest_s == 120.0
    assert lock.acquire()
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(seat.set, var("A", "1"), refs=BOTH)
        assert lock.waited.wait(10)
        assert (answer.done(), seat.config()["values"]) == (False, [])
        lock.release()
        assert answer.result(10).status_code == 201
    assert seat.states()[0] == (3, "created")


def test_who_waits_for_the_lock_in_vain_has_changed_nothing(seat: Seat) -> None:
    lock = seat.rules.apps["shop"].lock
    lock.longest_s = 0.0
    assert lock.acquire()
    answer = seat.set(var("A", "1"), refs=BOTH)
    said = "there is an executing pipeline, please wait or force deploy"
    assert (answer.status_code, answer.json()) == (400, {"detail": said})
    assert (seat.config()["values"], seat.states()[0]) == ([], (2, "succeed"))


@pytest.mark.parametrize("autodeploy", [True, False])
def test_a_rollback_is_deployed_whatever_autodeploy_says(seat: Seat, autodeploy: bool) -> None:
    seat.set(var("A", "1"), refs=BOTH)
    seat.rules.work("shop")
    seat.rules.apps["shop"].autodeploy = autodeploy
    seat("POST", f"{RELEASES}rollback/", {"version": 2})
    seat.rules.work("shop")
    assert seat.states()[0] == (4, "succeed")


def test_only_process_types_that_change_are_deployed_and_locked(seat: Seat) -> None:
    """Whatever `deployed_ptypes` says: all of them are written there before anything is compared."""
    seat.set(var("A", "1"), refs={"web": ["addon_db"]})
    assert seat("GET", f"{RELEASES}v3/").json()["deployed_ptypes"] == ["web", "worker"]
    assert seat.rules.apps["shop"].locked == {"web"}


def test_a_rollback_does_not_wait_for_a_pipeline(seat: Seat) -> None:
    """It is forced, so all process types are deployed, beside what executes."""
    seat.set(var("A", "1"), refs={"web": ["addon_db"]})
    assert seat("POST", f"{RELEASES}rollback/", {"version": 2}).status_code == 201
    assert seat.states()[:2] == [(4, "created"), (3, "created")]
    assert seat.rules.apps["shop"].locked == {"web", "worker"}


def test_a_deployment_that_is_refused_has_its_process_types_all_the_same(seat: Seat) -> None:
    seat.set(var("A", "1"), refs=BOTH)
    seat.rules.apps["shop"].autodeploy = False
    seat.set(var("B", "1"))
    assert seat("GET", f"{RELEASES}v4/").json()["deployed_ptypes"] == []
    assert seat("POST", f"{RELEASES}deploy/", {"ptypes": "", "force": False}).status_code == 400
    assert seat("GET", f"{RELEASES}v4/").json()["deployed_ptypes"] == ["web", "worker"]
    seat.rules.work("shop")
    assert seat.states()[:2] == [(4, "created"), (3, "succeed")]


def test_a_rollback_is_a_release_with_config_and_build_of_then(seat: Seat) -> None:
    seat.set(var("A", "1"), refs=BOTH)
    seat.rules.work("shop")
    answer = seat("POST", f"{RELEASES}rollback/", {"version": 2, "ptypes": ""})
    assert (answer.status_code, answer.json()) == (201, {"version": 4})
    then, now = (seat("GET", f"{RELEASES}v{number}/").json() for number in (2, 4))
    assert (now["config"], now["build"]) == (then["config"], then["build"])


def test_rollbacks_that_cannot_be(seat: Seat) -> None:
    seat.set(var("BREAK", "it"), refs=BOTH)
    seat.rules.work("shop")
    for version, detail in (
        (3, "Cannot roll back to failed release."),
        (1, "Cannot roll back to initial release."),
    ):
        answer = seat("POST", f"{RELEASES}rollback/", {"version": version})
        assert (answer.status_code, answer.json()) == (400, {"detail": detail})


def test_a_build_keeps_the_config_but_one_with_a_dryccfile_replaces_all(seat: Seat) -> None:
    seat.set(var("A", "1"), refs=BOTH)
    seat.rules.work("shop")
    seat.rules.push("shop", {"web": "shop:2"})
    assert seat.config()["values_refs"] == BOTH
    seat.rules.work("shop")
    seat.rules.push("shop", {"web": "shop:3"}, dryccfile={"values": [var("B", "2", "global")]})
    assert (seat.config()["values"], seat.config()["values_refs"]) == ([var("B", "2", "global")], {})


class Receiver(BaseHTTPRequestHandler):
    """Keeps what it is sent."""

    def do_POST(self) -> None:
        self.server.seen = (self.path, self.headers["Authorization"], self.headers["Content-Length"])  # type: ignore[attr-defined]
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Quiet."""


@pytest.fixture
def receiver() -> Iterator[HTTPServer]:
    server = HTTPServer(("127.0.0.1", 0), Receiver)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_hook_tells_of_each_release_with_an_hmac_of_the_url(seat: Seat, receiver: HTTPServer) -> None:
    url = f"http://127.0.0.1:{receiver.server_address[1]}/hook"
    seat.controller.hooks[url] = "key"
    seat.set(var("A", "1"))
    path, login, length = receiver.seen  # type: ignore[attr-defined]
    assert path == "/hook?app=shop&release=v3&release_summary=myteam+changed+the+config&sha=&user=myteam"
    full = url.removesuffix("/hook") + path
    assert login == hmac.new(b"key", full.encode(), hashlib.sha1).hexdigest()
    assert length == "0"


def test_answers_that_get_lost(seat: Seat) -> None:
    seat.controller.fail("POST", "/v2/apps/shop/config/", Lost)
    with pytest.raises(requests.ConnectionError):
        seat.set(var("A", "1"))
    assert seat.config()["values"] == [var("A", "1")]
    assert seat.set(var("B", "1")).status_code == 201


def test_faults_are_answers_of_one_request(seat: Seat) -> None:
    seat.controller.fail("GET", ".*/config/", Refusal(503, {"detail": "x"}))
    assert seat("GET", "/v2/apps/shop/config/").status_code == 503
    assert seat.config()["values"] == []


def test_two_that_compute_the_same_number(seat: Seat) -> None:
    text = 'duplicate key value violates unique constraint "api_release_app_id_version_key"'
    seat.controller.fail("POST", ".*/config/", Refusal(400, {"detail": text}))
    assert seat.set(var("A", "1")).status_code == 400
    assert seat.config()["values"] == []


def test_the_image_of_the_pods(seat: Seat) -> None:
    assert seat.rules.apps["shop"].pods["web"][0] == IMAGE
