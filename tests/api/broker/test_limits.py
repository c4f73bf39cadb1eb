"""Limits: what exceeds one is told so with 4xx, and leaves nothing behind."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from werkzeug.test import TestResponse

from helmbroker.broker.api.bodies import MAX_BODY_BYTES, MAX_DEPTH
from helmbroker.broker.api.ids import MAX_CHARACTERS
from helmbroker.broker.api.wire import MAX_OBJECT_BYTES
from tests.api.broker.desk import ASYNC, BINDING, INSTANCE, LOGIN, PROVISION, VERSION, Desk, refusal


def filled(size: int) -> dict[str, Any]:
    """An object of so many bytes as JSON."""
    return {"x": "ü" * ((size - len('{"x":""}')) // 2) + "x" * (size % 2)}


@pytest.mark.osb(8, 117)
@pytest.mark.parametrize("path", [INSTANCE, BINDING], ids=["provision", "bind"])
@pytest.mark.parametrize("field", ["parameters", "context"])
def test_parameters_and_context_are_bounded(ready: Desk, path: str, field: str) -> None:
    response = ready.put(path, **{field: filled(MAX_OBJECT_BYTES + 1)})
    assert refusal(response) == (400, "BadRequest")
    assert response.get_json()["description"] == f"{field}: must have at most {MAX_OBJECT_BYTES} bytes as JSON"


def test_up_to_the_bound_they_are_taken(desk: Desk) -> None:
    assert desk.put(context=filled(MAX_OBJECT_BYTES)).status_code == 202


@pytest.mark.osb(8)
@pytest.mark.parametrize(("more", "status"), [(0, 202), (1, 400)])
def test_depth_is_bounded(desk: Desk, more: int, status: int) -> None:
    value: Any = "x"
    for _ in range(MAX_DEPTH - 3 + more):
        value = [value]
    assert desk.put(context={"x": value}).status_code == status


@pytest.mark.osb(21)
@pytest.mark.parametrize(("more", "status"), [(0, 202), (1, 413)])
def test_a_body_is_bounded(desk: Desk, more: int, status: int) -> None:
    body = json.dumps(PROVISION).encode()
    assert desk.put(body=body + b" " * (MAX_BODY_BYTES - len(body) + more)).status_code == status


@pytest.mark.osb(19)
@pytest.mark.parametrize("field", ["service_id", "plan_id", "organization_guid", "space_guid"])
def test_ids_are_bounded(desk: Desk, field: str) -> None:
    assert refusal(desk.put(**{field: "x" * (MAX_CHARACTERS + 1)})) == (400, "BadRequest")
    assert refusal(desk.put(f"/v2/service_instances/{'x' * (MAX_CHARACTERS + 1)}")) == (400, "BadRequest")
    assert desk.put(f"/v2/service_instances/{'x' * MAX_CHARACTERS}").status_code == 202


class Stream(io.RawIOBase):
    """A body that breaks off."""

    def __init__(self, error: OSError) -> None:
        super().__init__()
        self._error = error

    def readable(self) -> bool:
        return True

    def readinto(self, _buffer: Any) -> int:
        raise self._error


def sent(desk: Desk, stream: Stream, **environ: Any) -> TestResponse:
    return desk.client.put(
        f"{INSTANCE}{ASYNC}",
        headers={"Authorization": LOGIN, "Content-Type": "application/json", **VERSION},
        environ_overrides={"wsgi.input": stream, **environ},
    )


@pytest.mark.osb(117, 118)
@pytest.mark.parametrize(
    "environ", [{"CONTENT_LENGTH": "100"}, {"wsgi.input_terminated": True}], ids=["length", "chunks"]
)
def test_a_body_that_breaks_off_is_no_fault_of_ours(desk: Desk, environ: dict[str, Any]) -> None:
    assert refusal(sent(desk, Stream(TimeoutError()), **environ)) == (408, "RequestTimeout")
    assert refusal(sent(desk, Stream(ConnectionResetError()), **environ)) == (400, "BadRequest")
    assert not desk.hand.turn()
