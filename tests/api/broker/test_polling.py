"""last_operation of instances and bindings (OSB 1.7)."""

from __future__ import annotations

import pytest
from flask import Request
from werkzeug.test import EnvironBuilder

from helmbroker.broker.api import wire
from helmbroker.broker.api.answers import polled
from helmbroker.broker.domain.operation import Phase
from helmbroker.broker.operations.progress import TABLES
from helmbroker.broker.store.schema import operations
from tests.api.broker.desk import BINDING, INSTANCE, Desk, refusal

both = pytest.mark.parametrize("path", [INSTANCE, BINDING], ids=["instance", "binding"])


@pytest.fixture
def placed(broker: Desk, path: str) -> Desk:
    """The broker with whatever `path` needs: a binding needs its instance."""
    broker.begin(*([(INSTANCE, Phase.READY)] if path == BINDING else []))
    return broker


def poll(desk: Desk, path: str, operation: str | None = None) -> tuple[str, str]:
    query = "" if operation is None else f"?operation={operation}"
    response = desk.get(f"{path}/last_operation{query}")
    assert response.status_code == 200
    body = response.get_json()
    assert "Retry-After" not in response.headers
    return body["state"], body["description"]


@pytest.mark.osb(88, 89, 95)
@pytest.mark.bug(25, 26)
@both
def test_from_waiting_to_the_end(placed: Desk, path: str) -> None:
    """The state is there before the answer is."""
    operation = placed.put(path).get_json()["operation"]
    assert poll(placed, path, operation) == ("in progress", "waiting for its turn")
    ctx = placed.hand.claim()
    assert ctx is not None
    ctx.note("pulling the image")
    steps = len(TABLES[ctx.operation.kind])
    assert poll(placed, path, operation) == ("in progress", f"pulling the image (step 1 of {steps}: check)")
    placed.hand.worker.perform(ctx)
    assert poll(placed, path, operation) == ("succeeded", "done")


@pytest.mark.osb(95)
@both
def test_what_takes_long_is_polled_less_often(placed: Desk, path: str) -> None:
    """Whole seconds, only while it is in progress, and not in the first seconds of it."""
    placed.put(path)
    ctx = placed.hand.claim()
    assert ctx is not None
    begun = ctx.operation.created_at
    assert len(polled(ctx.operation, now=begun + 14)) == 2
    assert polled(ctx.operation, now=begun + 16)[2:] == ({"Retry-After": "2"},)


@pytest.mark.osb(95)
@both
def test_what_takes_its_time_says_in_seconds_when_to_ask_again(placed: Desk, path: str) -> None:
    """An integer, the only form that the Kubernetes client reads."""
    placed.put(path)
    with placed.store.engine.begin() as conn:
        conn.execute(operations.update().values(created_at=operations.c.created_at - 60))
    assert 1 <= int(placed.get(f"{path}/last_operation").headers["Retry-After"]) <= 10
    placed.work()
    assert "Retry-After" not in placed.get(f"{path}/last_operation").headers


@pytest.mark.osb(88)
@pytest.mark.bug(37)
@both
def test_a_failure_tells_why(placed: Desk, path: str) -> None:
    placed.put(path)
    placed.work("The image cannot be pulled. Correct the tag.")
    assert poll(placed, path) == ("failed", "The image cannot be pulled. Correct the tag.")


@pytest.mark.osb(52, 92, 93)
@pytest.mark.bug(43)
@both
def test_every_operation_has_an_id_of_its_own_that_keeps_its_answer(placed: Desk, path: str) -> None:
    made = placed.put(path).get_json()["operation"]
    placed.work()
    removed = placed.delete(path).get_json()["operation"]
    assert made != removed
    assert (poll(placed, path, made)[0], poll(placed, path, removed)[0]) == ("succeeded", "in progress")
    placed.work()
    again = placed.put(path).get_json()["operation"]
    assert [poll(placed, path, each)[0] for each in (made, removed, again)] == [
        "succeeded",
        "succeeded",
        "in progress",
    ]


@pytest.mark.osb(93)
@both
def test_without_an_id_the_latest_operation_is_told(placed: Desk, path: str) -> None:
    placed.bring(path, Phase.READY)
    assert poll(placed, path)[0] == "succeeded"
    placed.delete(path)
    assert poll(placed, path)[0] == "in progress"


@pytest.mark.osb(93)
@both
@pytest.mark.parametrize("operation", ["provision", "x" * 5000, "%00", "%FF", "bind:1", "a%2Fb", "../.."])
def test_a_string_that_is_no_id_of_ours_means_the_latest_operation(placed: Desk, path: str, operation: str) -> None:
    """Checkers invent them."""
    placed.bring(path, Phase.READY)
    assert poll(placed, path, operation) == ("succeeded", "done")


@pytest.mark.osb(90)
@both
def test_an_empty_id_is_malformed(placed: Desk, path: str) -> None:
    placed.bring(path, Phase.READY)
    assert refusal(placed.get(f"{path}/last_operation?operation=")) == (400, "BadRequest")


@pytest.mark.osb(93)
def test_the_operation_of_another_is_not_told(ready: Desk) -> None:
    """Neither that of another instance, nor a binding's for its instance, nor the other way round."""
    other = "/v2/service_instances/other"
    foreign = ready.put(other).get_json()["operation"]
    ready.work("secret reason of somebody else")
    bound = ready.put(BINDING).get_json()["operation"]
    sibling = BINDING.replace("b1", "b2")
    ready.put(sibling)
    ready.work("why the binding failed")
    assert poll(ready, INSTANCE, foreign) == ("succeeded", "done")
    assert poll(ready, INSTANCE, bound) == ("succeeded", "done")
    assert poll(ready, BINDING, bound) == ("failed", "why the binding failed")
    assert poll(ready, sibling, bound) == ("in progress", "waiting for its turn")
    provisioned = "provision:00000000-0000-0000-0000-000000000000"
    assert poll(ready, BINDING, provisioned) == ("failed", "why the binding failed")


@pytest.mark.osb(90, 91, 92)
@pytest.mark.bug(65)
@both
@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        ("", (404, "NotFound")),
        ("?operation=provision:1", (404, "NotFound")),
        ("?operation=deprovision:1", (410, "Gone")),
        ("?operation=unbind:1", (410, "Gone")),
    ],
)
def test_of_the_unknown_only_a_delete_of_ours_is_gone(
    desk: Desk, path: str, operation: str, expected: tuple[int, str]
) -> None:
    assert refusal(desk.get(f"{path}/last_operation{operation}")) == expected


@pytest.mark.osb(83, 113)
@both
def test_a_delete_stops_what_is_queued_and_says_so(placed: Desk, path: str) -> None:
    made = placed.put(path).get_json()["operation"]
    removed = placed.delete(path).get_json()["operation"]
    assert poll(placed, path, made) == ("failed", "stopped, because it is being removed")
    assert poll(placed, path, removed)[0] == "in progress"
    placed.work()
    assert poll(placed, path) == ("succeeded", "done")
    assert not placed.hand.turn()  # what was stopped is not begun


@pytest.mark.osb(83, 113)
@both
def test_a_delete_stops_what_runs(placed: Desk, path: str) -> None:
    made = placed.put(path).get_json()["operation"]
    ctx = placed.hand.claim()
    assert ctx is not None
    removed = placed.delete(path).get_json()["operation"]
    assert poll(placed, path, made)[0] == "in progress"  # until its worker has let go of it
    with placed.store.read() as records:
        operation = records.operation(made)
    assert operation is not None
    assert operation.cancel_requested
    assert placed.hand.claim() is None  # one at a time on an instance
    placed.hand.run(removed)
    assert poll(placed, path, made) == ("failed", "stopped, because it is being removed")


@pytest.mark.osb(13, 86, 96)
@pytest.mark.bug(27)
def test_after_a_failed_delete_the_instance_is_not_usable(ready: Desk) -> None:
    """And it can be deleted again."""
    ready.delete()
    ready.work("the Job hangs")
    body = ready.get(f"{INSTANCE}/last_operation").get_json()
    assert body == {"state": "failed", "description": "the Job hangs", "instance_usable": False}
    assert ready.delete().status_code == 202
    ready.work()
    assert ready.get(f"{INSTANCE}/last_operation").get_json() == {"state": "succeeded", "description": "done"}


@pytest.mark.osb(13, 96)
def test_usability_is_told_of_nothing_else(ready: Desk) -> None:
    ready.put("/v2/service_instances/other")
    ready.work("no")
    ready.put(BINDING)
    ready.work("no")
    ready.delete(BINDING)
    ready.work("no")
    for path in ("/v2/service_instances/other", BINDING):
        body = ready.get(f"{path}/last_operation").get_json()
        assert body == {"state": "failed", "description": "no"}


@pytest.mark.osb(93)
@pytest.mark.parametrize("value", ["a\0b", "x" * 256, "\n"], ids=ascii)
def test_what_no_database_could_look_up_is_not_looked_up(value: str) -> None:
    assert wire.operation(Request(EnvironBuilder(query_string={"operation": value}).get_environ())) is None
