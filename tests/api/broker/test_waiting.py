"""Binds and unbinds without accepts_incomplete: the request waits (OSB items 99, 112)."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from werkzeug.test import TestResponse

from helmbroker.broker.domain.operation import Phase
from helmbroker.broker.store.schema import bindings, operations
from helmbroker.durable import Context
from tests.api.broker.desk import BIND, BINDING, CREDENTIALS, IDS, INSTANCE, Desk, refusal

BUSY, FAILED = (422, "ConcurrencyError"), (500, "OperationFailed")
TOO_LONG, STOPPING = (504, "TookTooLong"), (503, "Stopping")


def bind(desk: Desk, path: str = BINDING, **change: object) -> TestResponse:
    return desk.call("PUT", path, {**BIND, **change})


def unbind(desk: Desk, path: str = BINDING) -> TestResponse:
    return desk.call("DELETE", f"{path}?{IDS}")


def recorded(desk: Desk) -> list[str]:
    with desk.store.engine.connect() as conn:
        return list(conn.scalars(sa.select(bindings.c.id)))


def all_kinds(desk: Desk) -> list[tuple[str, str]]:
    """Kind and state of every operation on bindings, in order."""
    with desk.store.engine.connect() as conn:
        rows = conn.execute(sa.select(operations).order_by(operations.c.seq))
        return [(row.kind, row.state) for row in rows if "binding_id" in row.params]


def begin(desk: Desk) -> Context:
    """A worker takes what is due, and does not come to an end with it."""
    ctx = desk.hand.claim()
    assert ctx is not None
    return ctx


@pytest.fixture
def bound(ready: Desk) -> Desk:
    ready.bring(BINDING, Phase.READY)
    return ready


@pytest.mark.osb(44, 99, 103)
def test_a_bind_is_answered_when_the_credentials_are_there(ready: Desk) -> None:
    ready.room.meanwhile = [ready.work]
    answer = bind(ready)
    assert (answer.status_code, answer.get_json()) == (201, {"credentials": CREDENTIALS})
    assert answer.headers["Cache-Control"] == "no-store"
    again = bind(ready)
    assert (again.status_code, again.get_json()) == (200, {"credentials": CREDENTIALS})
    assert all_kinds(ready) == [("bind", "succeeded")]


@pytest.mark.osb(112, 115)
def test_an_unbind_is_answered_when_the_credentials_are_revoked(bound: Desk) -> None:
    bound.room.meanwhile = [bound.work]
    answer = unbind(bound)
    assert (answer.status_code, answer.get_json()) == (200, {})
    assert refusal(unbind(bound)) == (410, "Gone")
    assert bound.get(BINDING).status_code == 404


@pytest.mark.osb(100)
def test_the_same_bind_again_waits_for_the_same_operation(ready: Desk) -> None:
    ready.put(BINDING)
    ready.room.meanwhile = [ready.work]
    assert bind(ready).status_code == 201
    assert all_kinds(ready) == [("bind", "succeeded")]


@pytest.mark.osb(100)
def test_another_bind_of_the_same_id_is_a_conflict_at_once(ready: Desk) -> None:
    ready.put(BINDING)
    assert refusal(bind(ready, app_guid="another")) == (409, "Conflict")
    assert all_kinds(ready) == [("bind", "queued")]


@pytest.mark.osb(112)
def test_the_same_unbind_again_waits_for_the_same_operation(bound: Desk) -> None:
    bound.delete(BINDING)
    bound.room.meanwhile = [bound.work]
    assert unbind(bound).status_code == 200
    assert all_kinds(bound) == [("bind", "succeeded"), ("unbind", "succeeded")]


@pytest.mark.osb(14, 117, 118, 120)
@pytest.mark.bug(29, 37)
def test_a_bind_that_fails_tells_why_and_leaves_nothing(ready: Desk) -> None:
    ready.room.meanwhile = [lambda: ready.work("The Job failed.")]
    answer = bind(ready)
    assert refusal(answer) == FAILED
    assert answer.get_json()["description"] == "The Job failed. Nothing of the binding is kept."
    assert ready.get(BINDING).status_code == 404
    assert all_kinds(ready) == [("bind", "failed"), ("unbind", "queued")]
    ready.work()
    assert refusal(ready.delete(BINDING)) == (410, "Gone")
    ready.room.meanwhile = [ready.work]
    assert bind(ready).status_code == 201, "the id can be used again"


@pytest.mark.osb(14)
def test_a_failure_that_many_waited_for_is_cleaned_up_once(ready: Desk) -> None:
    answers: list[TestResponse] = []
    ready.room.meanwhile = [lambda: answers.append(bind(ready)), lambda: ready.work("no")]
    answers.append(bind(ready))
    assert [refusal(answer) for answer in answers] == [FAILED, FAILED]
    assert all_kinds(ready) == [("bind", "failed"), ("unbind", "queued")]


@pytest.mark.osb(14, 18, 102, 118)
def test_a_bind_that_never_began_is_as_if_it_had_not_been_asked_for(ready: Desk) -> None:
    """Queued behind other work until the time was over."""
    assert refusal(bind(ready)) == BUSY
    assert (recorded(ready), all_kinds(ready)) == ([], [("bind", "cancelled")])
    assert refusal(ready.delete(BINDING)) == (410, "Gone")
    assert not ready.hand.turn(), "nothing is left to do"


@pytest.mark.osb(14)
@pytest.mark.parametrize("phase", [Phase.GONE, Phase.MAKE_FAILED])
def test_what_was_there_before_a_bind_that_never_began_is_there_again(ready: Desk, phase: Phase) -> None:
    ready.bring(BINDING, phase)
    before = [ready.get(f"{BINDING}/last_operation").get_json(), refusal(ready.get(BINDING))]
    assert refusal(bind(ready)) == BUSY
    assert [ready.get(f"{BINDING}/last_operation").get_json(), refusal(ready.get(BINDING))] == before
    assert not ready.hand.turn()


@pytest.mark.osb(14)
@pytest.mark.bug(53)
def test_a_tombstone_keeps_nothing_of_a_bind_that_never_began(ready: Desk) -> None:
    ready.bring(BINDING, Phase.GONE)
    assert refusal(bind(ready)) == BUSY
    with ready.store.read() as records:
        record = records.binding("i1", "b1")
    assert record is not None
    assert (record.phase, record.binding.parameters.reveal()) == (Phase.GONE, {})


@pytest.mark.osb(113)
def test_who_gives_up_leaves_the_unbind_of_somebody_else_alone(ready: Desk) -> None:
    ready.room.unseen = True
    ready.room.meanwhile = [lambda: ready.delete(BINDING)]
    assert refusal(bind(ready)) == BUSY
    assert all_kinds(ready) == [("bind", "cancelled"), ("unbind", "queued")]
    assert recorded(ready) == ["b1"], "what is still to be removed"


@pytest.mark.osb(85)
def test_what_a_failed_bind_left_goes_with_an_instance_that_is_being_removed(ready: Desk) -> None:
    ready.room.meanwhile = [lambda: ready.work("no"), lambda: ready.delete(INSTANCE)]
    assert refusal(bind(ready)) == FAILED
    assert all_kinds(ready) == [("bind", "failed")]


@pytest.mark.osb(113, 117)
def test_a_bind_that_takes_too_long_is_undone(ready: Desk) -> None:
    ready.room.meanwhile = [lambda: begin(ready)]
    assert refusal(bind(ready)) == TOO_LONG
    with ready.store.read() as records:
        record = records.binding("i1", "b1")
    assert record is not None
    assert record.phase is Phase.REMOVING
    ready.hand.run(record.operation.id)
    assert all_kinds(ready) == [("bind", "cancelled"), ("unbind", "succeeded")]


@pytest.mark.osb(113)
def test_a_bind_that_waits_for_its_next_attempt_has_begun(ready: Desk) -> None:
    """It may have made a user by then."""

    def try_once() -> None:
        ctx = begin(ready)
        ctx.write(lambda conn: ready.hand.queue.requeue(conn, ctx.operation, 60.0, attempt=0))

    ready.room.meanwhile = [try_once]
    assert refusal(bind(ready)) == TOO_LONG
    assert all_kinds(ready) == [("bind", "cancelled"), ("unbind", "queued")]


@pytest.mark.parametrize(("failure", "status"), [(None, 201), ("no", 500)])
def test_an_end_in_the_very_last_moment_counts(ready: Desk, failure: str | None, status: int) -> None:
    """It ended between the last look and the cancel."""
    ready.room.unseen = True
    ready.room.meanwhile = [lambda: ready.work(failure)]
    assert bind(ready).status_code == status
    assert ("bind", "cancelled") not in all_kinds(ready)


def test_who_gives_up_does_not_stop_what_others_wait_for(ready: Desk) -> None:
    ready.room.together = True
    assert refusal(bind(ready)) == TOO_LONG
    assert all_kinds(ready) == [("bind", "queued")]


@pytest.mark.osb(46)
def test_who_gives_up_does_not_stop_what_was_promised_to_an_asynchronous_client(ready: Desk) -> None:
    ready.put(BINDING)
    assert refusal(bind(ready)) == TOO_LONG
    ready.work()
    assert ready.get(BINDING).status_code == 200


@pytest.mark.osb(112)
def test_an_unbind_that_takes_too_long_goes_on(bound: Desk) -> None:
    assert refusal(unbind(bound)) == TOO_LONG
    assert all_kinds(bound)[-1] == ("unbind", "queued")
    bound.work()
    assert refusal(unbind(bound)) == (410, "Gone")


def test_an_unbind_that_fails_tells_why_and_can_be_repeated(bound: Desk) -> None:
    bound.room.meanwhile = [lambda: bound.work("The Job failed.")]
    answer = unbind(bound)
    assert refusal(answer) == FAILED
    assert answer.get_json()["description"] == "The Job failed. Delete the binding again."
    bound.room.meanwhile = [bound.work]
    assert unbind(bound).status_code == 200


@pytest.mark.osb(113)
def test_an_unbind_ends_the_wait_of_the_bind(ready: Desk) -> None:
    ready.room.meanwhile = [lambda: ready.delete(BINDING)]
    assert refusal(bind(ready)) == BUSY
    assert all_kinds(ready) == [("bind", "cancelled"), ("unbind", "queued")]


@pytest.mark.osb(83, 113)
@pytest.mark.parametrize("call", [bind, unbind])
def test_a_deletion_of_the_instance_ends_every_wait(ready: Desk, call: object) -> None:
    if call is unbind:
        ready.bring(BINDING, Phase.READY)
    ready.room.meanwhile = [lambda: ready.delete(INSTANCE)]
    answer = bind(ready) if call is bind else unbind(ready)
    assert refusal(answer) == BUSY
    ready.work()
    assert refusal(ready.delete(BINDING)) == (410, "Gone")


@pytest.mark.osb(83)
def test_an_instance_that_is_gone_before_anybody_looks(ready: Desk) -> None:
    ready.room.meanwhile = [lambda: ready.delete(INSTANCE), ready.work]
    assert refusal(bind(ready)) == BUSY


@pytest.mark.osb(102)
@pytest.mark.bug(36)
def test_a_bind_waits_for_its_instance(desk: Desk) -> None:
    desk.begin((INSTANCE, Phase.MAKING))
    desk.room.meanwhile = [desk.work, desk.work]
    assert bind(desk).status_code == 201


def test_too_many_that_wait_are_told_to_come_back(ready: Desk) -> None:
    with ready.room.place(), ready.room.place():
        answer = bind(ready)
        assert refusal(answer) == (503, "TooManyWaiting")
        assert 1 <= int(answer.headers["Retry-After"]) <= 10
        assert (recorded(ready), all_kinds(ready)) == ([], []), "nothing is recorded"
        assert ready.put(BINDING).status_code == 202, "who does not wait is served"
    ready.room.meanwhile = [ready.work]
    assert bind(ready).status_code == 201


def test_a_place_is_given_back_whatever_happens(ready: Desk) -> None:
    for _ in range(5):
        assert refusal(bind(ready)) == BUSY
        ready.room.meanwhile = [lambda: ready.work("no")]
        assert refusal(bind(ready)) == FAILED
        ready.work()


def test_a_broker_that_stops_answers_those_that_wait(ready: Desk) -> None:
    """What was begun goes on: a repetition waits for it at the next broker."""
    ready.room.meanwhile = [ready.room.stopping.set]
    answer = bind(ready)
    assert refusal(answer) == STOPPING
    assert int(answer.headers["Retry-After"]) >= 1
    assert all_kinds(ready) == [("bind", "queued")]
    assert refusal(bind(ready, f"{BINDING}x")) == STOPPING
    assert recorded(ready) == ["b1"], "nothing is begun any more"
    ready.room.stopping.clear()
    ready.bring(f"{BINDING}2", Phase.MAKING)
    ready.room.meanwhile = [ready.work]
    assert bind(ready).status_code == 201
