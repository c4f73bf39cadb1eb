"""The controller for tests follows what is known of the real one: logins, roles, throttle (1.1 and 3.5)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests

from tests.fakes.drycc_controller import DryccController
from tests.unit.drycc.conftest import Seat, var

CONFIG = "/v2/apps/shop/config/"


def test_versions_on_every_answer(seat: Seat) -> None:
    for who in ("admin", ""):
        headers = seat("GET", CONFIG, who=who).headers
        assert (headers["DRYCC_API_VERSION"], headers["DRYCC_PLATFORM_VERSION"]) == ("2.3", "2.3.0")


def test_who_is_not_known(seat: Seat) -> None:
    answer = seat("GET", CONFIG, who="")
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "token")
    assert answer.json() == {"detail": "Authentication credentials were not provided."}
    wrong = seat("GET", CONFIG, who="", Authorization="token nope")
    assert (wrong.status_code, wrong.json()) == (401, {"detail": "Invalid token."})


@pytest.mark.parametrize("keyword", ["token", "Token", "Bearer"])
def test_keywords(seat: Seat, keyword: str) -> None:
    login = f"{keyword} {seat.tokens['viewer']}"
    assert seat("GET", CONFIG, who="", Authorization=login).status_code == 200


def test_whoami(seat: Seat) -> None:
    me = seat("GET", "/v2/auth/whoami", who="staff").json()
    assert (me["username"], me["is_staff"], me["is_superuser"]) == ("bridge", True, False)
    assert {"id", "email"} < set(me)


@pytest.mark.parametrize(
    ("who", "get", "post", "delete"),
    [
        ("viewer", 200, 403, 403),
        ("member", 200, 201, 403),
        ("admin", 200, 201, 200),
        ("stranger", 403, 403, 403),
        ("staff", 200, 201, 200),
        ("root", 200, 201, 200),
    ],
)
def test_roles(seat: Seat, who: str, get: int, post: int, delete: int) -> None:
    assert seat("GET", CONFIG, who=who).status_code == get
    assert (
        seat("POST", CONFIG, {"values": [var("A", "1")], "values_refs": {"web": ["x"]}}, who=who).status_code
        == post
    )
    seat.rules.work("shop")
    seat.rules.change_config("shop", {"values_refs": {"web": ["y"]}}, "x")
    seat.rules.work("shop")
    assert seat("DELETE", CONFIG, {"values_refs": {"web": ["y"]}}, who=who).status_code == delete


@pytest.mark.parametrize(("who", "status"), [("viewer", 200), ("stranger", 404), ("staff", 404), ("root", 404)])
def test_an_app_is_shown_to_members_alone(seat: Seat, who: str, status: int) -> None:
    answer = seat("GET", "/v2/apps/shop/", who=who)
    assert answer.status_code == status
    if status == 200:
        assert (answer.json()["id"], answer.json()["workspace"]) == ("shop", "myteam")


@pytest.mark.parametrize("path", ["config", "releases", "settings"])
def test_staff_sees_all_but_that(seat: Seat, path: str) -> None:
    assert seat("GET", f"/v2/apps/shop/{path}/", who="staff").status_code == 200
    assert seat("GET", f"/v2/apps/none/{path}/", who="staff").status_code == 404


def test_members(seat: Seat) -> None:
    answer = seat("GET", "/v2/workspaces/myteam/members/max/", who="viewer").json()
    assert (answer["user"], answer["role"], answer["workspace"]) == ("max", "member", "myteam")
    assert seat("GET", "/v2/workspaces/myteam/members/eve/", who="admin").status_code == 404
    assert seat("GET", "/v2/workspaces/myteam/members/max/", who="stranger").status_code == 404


def test_sixty_a_minute_of_each_user() -> None:
    clock = [0.0]
    controller = DryccController(throttle=60, clock=lambda: clock[0])
    try:
        seat = Seat(controller, clock)
        answers = [seat("GET", "/v2/auth/whoami/") for _ in range(61)]
        assert [each.status_code for each in answers] == [200] * 60 + [429]
        assert answers[-1].json() == {"detail": "Request was throttled. Expected available in 60 seconds."}
        assert answers[-1].headers["Retry-After"] == "60"
        assert seat("GET", "/v2/auth/whoami/", who="member").status_code == 200
        clock[0] = 61.0
        assert seat("GET", "/v2/auth/whoami/").status_code == 200
    finally:
        controller.close()


@pytest.fixture(params=[True, False])
def controller(request: pytest.FixtureRequest) -> Iterator[DryccController]:
    found = DryccController(error_objects=request.param)
    yield found
    found.close()


def test_what_is_not_there_is_told_in_one_of_two_ways(controller: DryccController) -> None:
    login = {"Authorization": f"token {controller.staff}"}
    answer = requests.get(f"{controller.url}/v2/apps/none/config/", headers=login, timeout=10)
    said = answer.json()
    message = said if isinstance(said, str) else said["error"]["message"]
    assert (answer.status_code, message) == (404, "No App matches the given query.")


def test_unknown_paths_are_html(seat: Seat) -> None:
    answer = seat("GET", "/v2/none/")
    assert (answer.status_code, answer.headers["Content-Type"].split(";")[0]) == (404, "text/html")


def test_slashes_at_the_end_are_optional(seat: Seat) -> None:
    assert seat("GET", CONFIG.rstrip("/")).status_code == 200
