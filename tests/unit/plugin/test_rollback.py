"""`rollback`: what it waits for, and how it ends."""

from __future__ import annotations

import pytest

from tests.unit.plugin.answers import (
    FRAMES,
    Drycc,
    steps,
)
from tests.unit.plugin.service import Answer, Ended, Service

ROLLBACK = "/v2/apps/example-go/releases/rollback/"


def operation(state: str, description: str, version: int | None = None) -> Answer:
    """How a rollback stands."""
    return Answer({"operation": "an/id", "state": state, "description": description, "version": version})


def test_rollback_waits_for_the_new_release(service: Service, drycc: Drycc) -> None:
    service.answer(f"POST {ROLLBACK}", Answer({"operation": "an/id", "version": None}, 201))
    service.answer(
        f"GET {ROLLBACK}an%2Fid/",
        operation("queued", "waiting for its turn"),
        operation("running", "app release v4: 1 of 2 pods are ready", 4),
        operation("succeeded", "The app runs release v4", 4),
    )
    ended = drycc("rollback v2")
    assert service.asked[0].body == {"version": 2}
    assert steps(ended.out) == ["waiting for its turn", "app release v4: 1 of 2 pods are ready"]
    assert ended.out.startswith("Rolling back to v2...\n")
    assert ended.out.endswith(", v4\n")


@pytest.mark.parametrize("state", ["failed", "cancelled"])
def test_a_rollback_that_does_not_start(service: Service, drycc: Drycc, state: str) -> None:
    service.answer(f"POST {ROLLBACK}", Answer({"operation": "id"}, 201))
    service.answer(f"GET {ROLLBACK}id/", operation(state, "v4 has no image"))
    ended = drycc("rollback 2")
    assert ended.status == 3
    assert ended.err == "Error: v4 has no image\nSee: drycc resources releases --app example-go\n"


def test_rollback_without_waiting(service: Service, drycc: Drycc) -> None:
    service.answer(f"POST {ROLLBACK}", Answer({"operation": "id"}, 201))
    assert drycc("rollback v2 --no-wait") == Ended(0, f"Rolling back to v2... {FRAMES}done\n", "")


def test_rollback_wants_a_version(service: Service, drycc: Drycc) -> None:
    ended = drycc("rollback latest")
    assert ended.err == "Error: 'latest' is no app release: give a version such as v2; see: releases\n"
    assert service.asked == []
