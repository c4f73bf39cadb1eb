"""The state matrix, asked of the real service over HTTP: status, word, operation, and what is recorded after."""

from __future__ import annotations

from typing import Any

import pytest
from werkzeug.test import TestResponse

from tests.api.broker import matrix
from tests.api.broker.conftest import PLAIN_ID, PLAIN_PLAN_ID
from tests.api.broker.desk import BIND, BINDING, CREDENTIALS, IDS, INSTANCE, PROVISION, Desk, refusal
from tests.api.broker.matrix import Cell
from tests.unit.catalog.folders import LARGE_ID

CHANGE = {"parameters": {"replicas": 2}}
PATHS = {"i": INSTANCE, "b": BINDING}
SIBLING = BINDING.replace("b1", "b2")
REFUSED = {
    "404": (404, "NotFound"),
    "409": (409, "Conflict"),
    "410": (410, "Gone"),
    "busy": (422, "ConcurrencyError"),
    "unusable": (422, "InstanceNotUsable"),
    "async": (422, "AsyncRequired"),
}
# status, body, and what a GET is answered afterwards
WAITED_FOR: dict[str, tuple[int, dict[str, Any], int]] = {
    "made": (201, {"credentials": CREDENTIALS}, 200),
    "gone": (200, {}, 404),
}
STATES = ("in progress", "succeeded", "failed")
# every attribute alone makes another instance, or binding
OTHERS: dict[str, dict[str, dict[str, Any]]] = {
    INSTANCE: {
        "offering": {"service_id": PLAIN_ID, "plan_id": PLAIN_PLAN_ID, "parameters": {}},
        "plan": {"plan_id": LARGE_ID},
        "parameters": {"parameters": {"size": "2Gi"}},
        "no parameters": {"parameters": None},
        "organization": {"organization_guid": "x"},
        "space": {"space_guid": "x"},
    },
    BINDING: {
        "plan": {"plan_id": LARGE_ID},
        "parameters": {"parameters": {"access": "write"}},
        "no parameters": {"parameters": None},
        "app": {"app_guid": "x"},
        "no app": {"app_guid": None},
    },
}


def arrive(desk: Desk, history: str) -> None:
    """Bring about a state as the matrix tells how."""

    def bring() -> None:
        for step in filter(None, history.split(", ")):
            method, _, what = step.partition(" ")
            match method:
                case "work":
                    desk.work()
                case "fail":
                    desk.work("because")
                case "PATCH":
                    assert desk.patch(PATHS[what], **CHANGE).status_code == 202
                case "DELETE":
                    assert desk.delete(PATHS[what]).status_code == 202
                case _:
                    assert desk.put(PATHS[what]).status_code == 202

    desk.arrive(history, bring)


def operations(desk: Desk, path: str) -> tuple[set[str], str | None]:
    """All operations there are, and the latest one of what is at this path."""
    (_, rows), (_, instances), (_, bindings) = desk.rows()
    of = {INSTANCE: (instances, "i1"), BINDING: (bindings, "b1"), SIBLING: (bindings, "b2")}[path]
    latest = [row["operation_id"] for row in of[0] if row["id"] == of[1]]
    return {row["id"] for row in rows}, latest[0] if latest else None


def judge(desk: Desk, path: str, answer: str, response: TestResponse, before: Any) -> None:
    """Compare an answer, and what it left, with the cell of the matrix."""
    body = response.get_json()
    assert response.content_type == "application/json"
    now = desk.rows()
    if answer == "new":
        assert (response.status_code, set(body)) == (202, {"operation"})
        assert len(now[0][1]) == len(before[0][1]) + 1
        assert body["operation"] not in {row["id"] for row in before[0][1]}
        assert body["operation"] == operations(desk, path)[1]
        return
    if answer in ("made", "gone"):
        assert (response.status_code, body) == {"made": (201, {"credentials": CREDENTIALS}), "gone": (200, {})}[
            answer
        ]
        assert desk.get(path).status_code == {"made": 200, "gone": 404}[answer]
        assert not desk.hand.turn()
        return
    assert now == before  # nothing else changes anything
    if answer == "same":
        assert (response.status_code, body) == (202, {"operation": operations(desk, path)[1]})
    elif answer in STATES:
        assert (response.status_code, body["state"]) == (200, answer)
        assert body["description"]
    elif answer == "200":
        assert response.status_code == 200
        assert "operation" not in body
    else:
        assert refusal(response) == REFUSED[answer]


def finish(desk: Desk) -> None:
    """All that is due is done."""
    while desk.hand.turn():
        pass


def ask(desk: Desk, path: str, request: str, change: dict[str, Any] | None = None) -> TestResponse:
    """The request of a column of the matrix."""
    match request.split():
        case [_, "sync"] if path == BINDING:
            desk.room.meanwhile = [lambda: finish(desk)]
            return desk.call("PUT", path, BIND) if request == "PUT sync" else desk.call("DELETE", f"{path}?{IDS}")
        case ["PUT", "sync"]:
            return desk.call("PUT", path, PROVISION)
        case ["PATCH", "sync"]:
            return desk.call("PATCH", path, {"service_id": PROVISION["service_id"], **CHANGE})
        case ["PATCH"]:
            return desk.patch(path, **CHANGE)
        case ["PATCH", "other"]:
            return desk.patch(path, parameters={"replicas": 3})
        case ["PUT" | "bind", *_]:
            return desk.put(path, **(change or {}))
        case ["GET", *_]:
            return desk.get(path)
        case ["DELETE", "sync"]:
            return desk.call("DELETE", f"{path}?{IDS}")
        case ["DELETE" | "unbind"]:
            return desk.delete(path)
        case ["poll", *_]:
            return desk.get(f"{path}/last_operation")
    raise ValueError(f"the matrix has an unknown request: {request}")


def rows(table: str, path: str) -> list[Any]:
    """One row per cell, and per attribute where the cell is about another one."""
    return [
        pytest.param(
            cell,
            change,
            id=f"{cell.state}: {cell.request} {name}".strip(),
            marks=[pytest.mark.osb(*cell.items)] if cell.items else [],
        )
        for cell in matrix.cells(table)
        for name, change in (OTHERS[path] if cell.request == "PUT other" else {"": {}}).items()
    ]


@pytest.mark.osb(9, 11, 14, 117, 118)
@pytest.mark.bug(26, 27, 65, 66)
@pytest.mark.parametrize(("cell", "change"), rows(matrix.INSTANCES, INSTANCE))
def test_instance(broker: Desk, cell: Cell, change: dict[str, Any]) -> None:
    arrive(broker, matrix.INSTANCE_STATES[cell.state])
    before = broker.rows()
    judge(broker, INSTANCE, cell.answer, ask(broker, INSTANCE, cell.request, change), before)


@pytest.mark.osb(9, 11, 14, 117, 118)
@pytest.mark.parametrize(("cell", "change"), rows(matrix.UPDATES, INSTANCE))
def test_update(broker: Desk, cell: Cell, change: dict[str, Any]) -> None:
    arrive(broker, matrix.INSTANCE_STATES[cell.state])
    before = broker.rows()
    judge(broker, INSTANCE, cell.answer, ask(broker, INSTANCE, cell.request), before)


@pytest.mark.osb(9, 11, 14, 117, 118)
@pytest.mark.bug(36)
@pytest.mark.parametrize(("cell", "change"), rows(matrix.BINDINGS_OF_INSTANCES, INSTANCE))
def test_bindings_of_an_instance(broker: Desk, cell: Cell, change: dict[str, Any]) -> None:
    arrive(broker, matrix.INSTANCE_STATES[cell.state])
    before = broker.rows()
    path = SIBLING if cell.request == "bind" else BINDING
    judge(broker, path, cell.answer, ask(broker, path, cell.request), before)


@pytest.mark.osb(9, 11, 14, 117, 118)
@pytest.mark.bug(21, 22, 24, 25)
@pytest.mark.parametrize(("cell", "change"), rows(matrix.BINDINGS, BINDING))
def test_binding(broker: Desk, cell: Cell, change: dict[str, Any]) -> None:
    arrive(broker, matrix.BINDING_STATES[cell.state])
    before = broker.rows()
    judge(broker, BINDING, cell.answer, ask(broker, BINDING, cell.request, change), before)
