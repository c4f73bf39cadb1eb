"""Users of a controller at the bridge: who they are, and what they may do."""

from __future__ import annotations

import gc
from types import FunctionType, ModuleType

import pytest

from helmbroker.controller_bridge.access.drycc import DryccAuthority
from helmbroker.controller_bridge.access.memory import Memory
from helmbroker.controller_bridge.apps.drycc.client import ControllerClient
from helmbroker.controller_bridge.apps.port import AppsUnavailable
from helmbroker.controller_bridge.model import Role
from tests.fakes.drycc.config import Refusal
from tests.unit.drycc.conftest import Seat


def authority(seat: Seat) -> DryccAuthority:
    return DryccAuthority(ControllerClient(seat.controller.url), clock=lambda: seat.clock[0])


@pytest.mark.parametrize(
    ("who", "user", "role"),
    [
        ("viewer", "vic", Role.VIEWER),
        ("member", "max", Role.MEMBER),
        ("admin", "ann", Role.ADMIN),
        ("stranger", "eve", None),
        ("staff", "bridge", Role.ADMIN),
        ("root", "root", Role.ADMIN),
    ],
)
def test_roles(seat: Seat, who: str, user: str, role: Role | None) -> None:
    found = authority(seat).identify(seat.tokens[who])
    assert found is not None
    assert (found.user, found.role_in("shop")) == (user, role)


@pytest.mark.parametrize(
    ("who", "workspace"), [("viewer", "myteam"), ("admin", "myteam"), ("stranger", None), ("staff", None)]
)
def test_the_workspace_of_an_app_comes_with_the_role(seat: Seat, who: str, workspace: str | None) -> None:
    found = authority(seat).identify(seat.tokens[who])
    assert found is not None
    found.role_in("shop")
    asked = len(seat.controller.calls)
    assert found.workspace_of("shop") == workspace
    assert len(seat.controller.calls) == asked


@pytest.mark.parametrize("token", ["nope", "nope\r\nX: 1", "näpe", "\udcff"])
def test_nobody(seat: Seat, token: str) -> None:
    assert authority(seat).identify(token) is None


def test_an_app_of_nobody(seat: Seat) -> None:
    found = authority(seat).identify(seat.tokens["admin"])
    assert found is not None
    assert (found.role_in("none"), found.role_in("../auth")) == (None, None)


def test_answers_are_kept_for_half_a_minute(seat: Seat) -> None:
    door = authority(seat)

    def role() -> Role | None:
        found = door.identify(seat.tokens["member"])
        return None if found is None else found.role_in("shop")

    assert role() is Role.MEMBER
    asked = len(seat.controller.calls)
    seat.rules.people.members["myteam"]["max"] = "viewer"
    assert role() is Role.MEMBER
    assert len(seat.controller.calls) == asked == 3
    seat.clock[0] += 31
    assert role() is Role.VIEWER


def test_an_app_that_moves_to_another_workspace(seat: Seat) -> None:
    door = authority(seat)
    seat.rules.apps["shop"].workspace = "otherteam"
    eve, ann = (door.identify(seat.tokens[who]) for who in ("stranger", "admin"))
    assert eve is not None
    assert ann is not None
    assert (eve.role_in("shop"), ann.role_in("shop")) == (Role.ADMIN, None)


@pytest.mark.parametrize("status", [429, 500, 503])
@pytest.mark.parametrize("path", ["/v2/auth/whoami/", "/v2/apps/shop/", "/v2/workspaces/myteam/members/ann/"])
def test_without_an_answer_nobody_is_let_in_or_out(seat: Seat, path: str, status: int) -> None:
    """It is no verdict, and not kept."""
    door = authority(seat)
    seat.controller.fail("GET", path, Refusal(status, {"detail": "no"}))

    def role() -> Role | None:
        found = door.identify(seat.tokens["admin"])
        return None if found is None else found.role_in("shop")

    with pytest.raises(AppsUnavailable):
        role()
    assert role() is Role.ADMIN


def test_no_token_shows(seat: Seat) -> None:
    found = authority(seat).identify(seat.tokens["admin"])
    assert seat.tokens["admin"] not in repr(found)


def test_no_token_is_kept(seat: Seat) -> None:
    """Neither in what is remembered, nor in what that refers to."""
    door, token = authority(seat), seat.tokens["member"]
    found = door.identify(token)
    assert found is not None
    assert found.role_in("shop") is Role.MEMBER
    del found
    assert "max" in reachable(door._users._known)
    assert token not in reachable(door._users._known) | reachable(door._standings._known)


def reachable(start: object) -> set[str]:
    """Every text that the object leads to, in closures as well; not by way of modules and classes."""
    texts, seen, left = set(), {id(start)}, [start]
    while left:
        one = left.pop()
        if isinstance(one, str):
            texts.add(one)
        if isinstance(one, FunctionType):
            inside = list(one.__closure__ or ())
        else:
            inside = [] if isinstance(one, ModuleType | type) else gc.get_referents(one)
        left += [each for each in inside if id(each) not in seen]
        seen |= {id(each) for each in inside}
    return texts


def test_answers_are_dropped_after_half_a_minute() -> None:
    clock = [0.0]
    memory: Memory[str, int] = Memory(lambda: clock[0])
    for number in range(3):
        memory.get(f"key-{number}", lambda: number)  # noqa: B023 - asked at once
        clock[0] += 20.0
    memory.get("key-2", lambda: 9)
    assert {"key-0", "key-1", "key-2"} & reachable(memory) == {"key-2"}
