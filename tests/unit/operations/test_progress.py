"""Where an operation stands, as its row and the tables of steps tell it."""

from __future__ import annotations

from typing import Any

import pytest

from helmbroker.broker.domain.operation import Kind
from helmbroker.broker.operations import update
from helmbroker.broker.operations.progress import TABLES, described, standing
from helmbroker.durable import Operation, State

DONE_THERE = {"check": None, "remember": 3, "upgrade": None}


def row(kind: str = Kind.PROVISION, **values: Any) -> Operation:
    given: dict[str, Any] = {"state": State.RUNNING, "description": "busy", "results": {}, "attempt": 1, "fence": 1}
    given |= {"seq": 1, "id": "provision:1", "subject": "i", "params": {}, "cancel_requested": False}
    given |= {"created_at": 0.0, "deadline": 9.0, "finished_at": None}
    return Operation(**given | {"kind": str(kind)} | values)


CASES = {
    "not begun": (row(state=State.QUEUED, fence=0, attempt=0), "busy"),
    "first step": (row(), "busy (step 1 of 5: check)"),
    "a step is done": (row(results={"check": None, "remember": None}), "busy (step 3 of 5: install)"),
    "its end is not stored yet": (
        row(results=dict.fromkeys(("check", "remember", "install", "await ready", "confirm"))),
        "busy (step 5 of 5: confirm)",
    ),
    "waits, which is no attempt": (row(state=State.QUEUED, attempt=0, fence=4), "busy (step 1 of 5: check)"),
    "second attempt": (row(attempt=2), "busy (step 1 of 5: check; attempt 2 of 8)"),
    "waits for its second attempt": (
        row(state=State.QUEUED, attempt=1, fence=3),
        "busy (step 1 of 5: check; attempt 2 of 8)",
    ),
    "the claim that only says that it gives up": (row(attempt=9), "busy (step 1 of 5: check; attempt 8 of 8)"),
    "update, on its way there": (row(Kind.UPDATE, results=DONE_THERE), "busy (step 4 of 6: await ready)"),
    "update, on its way back": (
        row(Kind.UPDATE, results=DONE_THERE | {update.GIVEN_UP: {"reason": "no"}, "volumes": True, "return": True}),
        "busy (step 3 of 5 of the way back: await return)",
    ),
    "nothing was said": (row(description=""), "(step 1 of 5: check)"),
    "another program's kind": (row("schedule"), "busy"),
    **{str(state): (row(state=state), "busy") for state in State if state.finished},
}


@pytest.mark.parametrize(("operation", "text"), CASES.values(), ids=CASES)
def test_a_description_ends_with_where_it_stands(operation: Operation, text: str) -> None:
    assert described(operation) == text


def test_every_kind_has_a_table() -> None:
    assert set(TABLES) == set(Kind)


@pytest.mark.parametrize("kind", Kind)
def test_every_step_is_told(kind: Kind) -> None:
    """From the first to the last, each by its own name and number."""
    names = [step.name for step in TABLES[kind]]
    told = [standing(row(kind, results=dict.fromkeys(names[:done]))) for done in range(len(names))]
    assert [(each.number, each.step) for each in told if each is not None] == list(enumerate(names, 1))
    assert {each.steps for each in told if each is not None} == {len(names)}
