"""`rotate`, at once and by a schedule, and `rotate --admin`."""

from __future__ import annotations

import pytest

from tests.unit.plugin.answers import (
    ADVICE,
    GET,
    ONE,
    ROTATE,
    Drycc,
    resource,
    steps,
)
from tests.unit.plugin.service import Service


def test_rotate_waits_and_says_how_it_ended(service: Service, drycc: Drycc) -> None:
    service.answer(ROTATE, resource(binding="Rotating"))
    service.answer(
        GET,
        resource(binding="Rotating", message="app release v3 rolls out"),
        resource(binding="Ready", message="The new credentials are live", failed=False),
    )
    ended = drycc("rotate myredis")
    assert (ended.status, steps(ended.out)) == (0, ["app release v3 rolls out"])
    assert ended.out.splitlines()[0] == "Rotating credentials..."
    assert ended.out.splitlines()[-1].endswith("s, The new credentials are live")


def test_a_rotation_that_was_undone_is_a_failure(service: Service, drycc: Drycc) -> None:
    service.answer(ROTATE, resource(binding="Rotating"))
    service.answer(GET, resource(binding="Ready", message="v3 does not start", failed=True))
    ended = drycc("rotate myredis")
    assert (ended.status, ended.err) == (3, f"Error: v3 does not start\n{ADVICE}")


@pytest.mark.parametrize(("failed", "message"), [(False, "It was replaced"), (True, "the server does not answer")])
def test_rotate_admin_waits_for_the_instance(service: Service, drycc: Drycc, failed: bool, message: str) -> None:
    service.answer(ROTATE, resource(status="UpdatingInstance"))
    service.answer(
        GET,
        resource(status="UpdatingInstance", message="the broker updates the instance"),
        resource(status="Ready", message=message, failed=failed),
    )
    ended = drycc("rotate myredis --admin")
    assert steps(ended.out) == ["the broker updates the instance"]
    if failed:
        assert (ended.status, ended.err) == (3, f"Error: {message}\n{ADVICE}")
    else:
        assert (ended.status, ended.out.splitlines()[-1].endswith(f"s, {message}")) == (0, True)


@pytest.mark.parametrize("other", ["--force", "--every 30d"])
def test_the_administrators_password_is_rotated_alone(drycc: Drycc, other: str) -> None:
    assert drycc(f"rotate myredis --admin {other}").err == (
        "Error: --admin is about the administrator's password, now: give it alone\n"
    )


@pytest.mark.parametrize(
    ("every", "every_s", "due", "printed"),
    [
        ("30d", 2592000.0, "2026-05-08T01:01:00Z", "The credentials of myredis are replaced next at "),
        ("never", None, None, "myredis has no date for rotation.\n"),
    ],
)
def test_a_schedule_of_rotations(
    service: Service, drycc: Drycc, every: str, every_s: float | None, due: str | None, printed: str
) -> None:
    service.answer(f"PUT {ONE}rotate/", resource(binding="Ready", rotate_at=due))
    ended = drycc(f"rotate myredis --every {every}")
    assert (ended.status, ended.out.startswith(printed), ended.err) == (0, True, "")
    assert service.asked[0].body == {"every_s": every_s}


def test_a_rotation_is_now_or_later(drycc: Drycc) -> None:
    assert drycc("rotate myredis --every 30d --force").err == (
        "Error: --force rotates now and --every later: give one of them\n"
    )
