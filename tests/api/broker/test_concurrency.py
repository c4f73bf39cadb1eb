"""Many requests at once: real threads, a real store, and two API processes' worth of brokers on one database.

What requests may do when they meet is not written down anew: whatever came first, the outcome must be one that the
same requests have one after the other, and those are in the state matrix.
"""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from itertools import combinations_with_replacement, permutations
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import TestResponse

from helmbroker.broker.domain.operation import Kind, Phase
from helmbroker.catalog.model import Catalog
from helmbroker.durable import Context, Operation, Worker
from tests.api.broker.conftest import PLAIN_ID, PLAIN_PLAN_ID
from tests.api.broker.desk import BINDING, INSTANCE, Desk
from tests.postgresql import empty_database, postgresql_url
from tests.unit.catalog.folders import LARGE_ID
from tests.unit.durable.desk import BOUND_S, running

__all__ = ["postgresql_url"]
MANY = 100
ROUNDS = 2
OTHER = BINDING.replace("b1", "b2")
Call = Callable[[Desk], TestResponse]
REQUESTS: dict[str, Call] = {
    "PUT": lambda desk: desk.put(),
    "PUT other": lambda desk: desk.put(plan_id=LARGE_ID),
    "PATCH": lambda desk: desk.patch(plan_id=LARGE_ID),
    "DELETE": lambda desk: desk.delete(),
    "bind": lambda desk: desk.put(BINDING),
    "bind other": lambda desk: desk.put(BINDING, app_guid="x"),
    "bind another": lambda desk: desk.put(OTHER),
    "unbind": lambda desk: desk.delete(BINDING),
}
STARTS: dict[str, tuple[tuple[str, Phase | None], ...]] = {
    "nothing": (),
    "being provisioned": ((INSTANCE, Phase.MAKING),),
    "bound": ((INSTANCE, Phase.READY), (BINDING, Phase.READY)),
}


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def desks(
    request: pytest.FixtureRequest, prepared: Path, catalog: Catalog, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[Desk]]:
    """Two brokers on one database, as two API processes are."""
    folder = tmp_path_factory.mktemp("two")
    for each in prepared.iterdir():
        (folder / each.name).write_bytes(each.read_bytes())
    url = ""
    if request.param == "postgresql":
        url = empty_database(request.getfixturevalue("postgresql_url"))
    made = [Desk(folder, catalog, url=url) for _ in range(2)]
    made[0].store.prepare()
    made[0].store.keep(catalog)
    yield made
    for desk in made:
        desk.store.close()


def at_once(desks: Sequence[Desk], calls: Sequence[Call]) -> list[TestResponse]:
    """All calls at the same time, by turns to each of the brokers; the answers in their order."""
    start, answers = threading.Barrier(len(calls)), dict[int, TestResponse]()

    def ask(number: int) -> None:
        start.wait(BOUND_S)
        answers[number] = calls[number](desks[number % len(desks)])

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [answers[number] for number in range(len(calls))]


def carry_out(desks: Sequence[Desk]) -> None:
    """All that is due; no operation is carried out twice, and none is left."""
    for desk in desks:
        desk.ran.clear()
    while desks[0].hand.turn():
        pass
    operations = desks[0].rows()[0][1]
    assert max(Counter(desks[0].ran).values(), default=0) <= 1
    assert [row["id"] for row in operations if row["state"] not in ("succeeded", "failed", "cancelled")] == []


def outcome(desk: Desk, answers: Sequence[TestResponse]) -> tuple[Any, ...]:
    """What the platform was told, and what is recorded: the same for the same, whatever the ids."""
    (_, operations), (_, instances), (_, bindings) = desk.rows()
    kinds = {row["id"]: row["kind"] for row in operations}
    told = tuple(
        (answer.status_code, answer.get_json().get("error"), kinds.get(answer.get_json().get("operation")))
        for answer in answers
    )
    work = sorted((row["kind"], row["state"], row["cancel_requested"]) for row in operations)
    records = [
        (row["id"], row["plan_id"], row.get("wanted_plan_id"), kinds[row["operation_id"]], row.get("app_guid"))
        for row in instances + bindings
    ]
    return told, work, sorted(records, key=str)


@pytest.mark.osb(46, 100)
@pytest.mark.bug(7)
@pytest.mark.parametrize("path", [INSTANCE, BINDING], ids=["provision", "bind"])
def test_a_hundred_at_once_are_one_operation(desks: list[Desk], path: str) -> None:
    desks[0].begin(*([(INSTANCE, Phase.READY)] if path == BINDING else []))
    before = len(desks[0].rows()[0][1])
    answers = at_once(desks, [lambda desk: desk.put(path)] * MANY)
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.get_json()["operation"] for answer in answers}) == 1
    assert len(desks[0].rows()[0][1]) == before + 1
    carry_out(desks)
    assert {answer.status_code for answer in at_once(desks, [lambda desk: desk.put(path)] * 10)} == {200}


@pytest.mark.osb(82)
def test_many_deletes_are_one_operation(desks: list[Desk]) -> None:
    desks[0].begin((INSTANCE, Phase.READY))
    answers = at_once(desks, [lambda desk: desk.delete()] * 20)
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.get_json()["operation"] for answer in answers}) == 1
    carry_out(desks)
    assert {answer.status_code for answer in at_once(desks, [lambda desk: desk.delete()] * 10)} == {410}


@pytest.mark.osb(56, 83, 119)
@pytest.mark.parametrize("path", [INSTANCE, BINDING], ids=["provision", "bind"])
def test_a_delete_after_an_answer_that_was_lost_finds_what_was_begun(desks: list[Desk], path: str) -> None:
    """The platform gave up on its PUT, at whatever moment, and cleans up until it is told that there is nothing."""
    for _ in range(ROUNDS):
        desks[0].begin(*([(INSTANCE, Phase.READY)] if path == BINDING else []))
        put, delete = at_once(desks, [lambda desk: desk.put(path), lambda desk: desk.delete(path)])
        assert (put.status_code, delete.status_code) in {(202, 202), (202, 410)}
        if delete.status_code == 410:  # it came first
            assert desks[1].delete(path).status_code == 202
        assert desks[0].delete(path).status_code == 202
        made = desks[0].get(f"{path}/last_operation?operation={put.get_json()['operation']}").get_json()
        assert made == {"state": "failed", "description": "stopped, because it is being removed"}
        carry_out(desks)
        assert [desk.delete(path).status_code for desk in desks] == [410, 410]


@pytest.mark.osb(18, 48, 54, 70, 102)
@pytest.mark.bug(7, 8, 18)
@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("pair", list(combinations_with_replacement(REQUESTS, 2)), ids=" + ".join)
def test_two_at_once_are_two_in_a_row(desks: list[Desk], start: str, pair: tuple[str, str]) -> None:
    """Which one of them is first is open, everything else is not."""
    possible = []
    for order in permutations(range(2)):
        desks[0].begin(*STARTS[start])
        answers = {number: REQUESTS[pair[number]](desks[0]) for number in order}
        possible.append(outcome(desks[0], [answers[number] for number in range(2)]))
    for _ in range(ROUNDS):
        desks[0].begin(*STARTS[start])
        answers_at_once = at_once(desks, [REQUESTS[name] for name in pair])
        assert outcome(desks[0], answers_at_once) in possible
        carry_out(desks)


@pytest.mark.osb(18, 117)
def test_bindings_are_made_beside_each_other_and_beside_nothing_else(desks: list[Desk]) -> None:
    """Two workers: as many at a time as there are bindings, but an unbind waits for the bind that it undoes."""
    desks[0].begin((INSTANCE, Phase.READY))
    answers = at_once(desks, [put_binding(number) for number in range(5)])
    assert {answer.status_code for answer in answers} == {202}
    binds = [claim(desk) for desk in (desks * 3)[:5]]
    assert {ctx.operation.kind for ctx in binds} == {Kind.BIND}
    unbind = desks[1].delete(BINDING.replace("b1", "b0")).get_json()["operation"]
    assert desks[0].hand.claim() is None, "its bind is told to end, but has not ended"
    update = desks[0].patch(plan_id=LARGE_ID).get_json()["operation"]
    later = put_binding(9)(desks[1]).get_json()["operation"]
    binds.sort(key=lambda ctx: str(ctx.operation.params["binding_id"]), reverse=True)
    for ctx in binds:  # that of b0 is the last one
        assert desks[1].hand.claim() is None, "the update waits for all before it; who came later, for the update"
        desks[0].hand.worker.perform(ctx)
    for operation in (unbind, update, later):
        ctx = claim(desks[1])
        assert ctx.operation.id == operation
        assert desks[0].hand.claim() is None
        desks[1].hand.worker.perform(ctx)
    delete = desks[0].delete().get_json()["operation"]
    assert claim(desks[1]).operation.id == delete


def put_binding(number: int) -> Call:
    return lambda desk: desk.put(BINDING.replace("b1", f"b{number}"))


def claim(desk: Desk) -> Context:
    ctx = desk.hand.claim()
    assert ctx is not None
    return ctx


@pytest.mark.osb(18, 117)
@pytest.mark.bug(5, 8, 18)
def test_platforms_and_workers_at_once_lose_nothing(desks: list[Desk]) -> None:
    """Three instances, eight callers, two workers: nothing is 5xx, is lost, runs twice or together."""
    desks[0].begin()
    watched = Watched(desks[0])
    chosen = random.Random(7)  # noqa: S311 - to choose tests is no secret
    paths = [f"/v2/service_instances/i{number}" for number in range(3)]
    plain = {"service_id": PLAIN_ID, "plan_id": PLAIN_PLAN_ID}

    def caller(seed: float) -> Call:
        mine = random.Random(seed)  # noqa: S311

        def ask(desk: Desk) -> TestResponse:
            for _ in range(12):
                path = mine.choice(paths)
                bound = f"{path}/service_bindings/{mine.choice('ab')}"
                every: list[tuple[str, str, dict[str, Any]]] = [
                    ("put", path, {}),
                    ("put", path, {**plain, "parameters": {}}),
                    ("put", bound, {}),
                    ("patch", path, {"parameters": {"size": "1Gi"}}),
                    ("get", path, {}),
                    ("get", f"{path}/last_operation", {}),
                    ("delete", bound, {}),
                    ("delete", path, {}),
                ]
                name, target, change = mine.choice(every)
                answer: TestResponse = getattr(desk, name)(target, **change)
                assert answer.status_code in {200, 202, 400, 404, 409, 410, 422}
            return answer

        return ask

    with ExitStack() as workers:
        for desk in desks:
            worker = Worker(desk.store.queue, dict.fromkeys(Kind, watched), poll_s=0.01, heartbeat_s=0.02)
            workers.enter_context(running(worker))
        assert len(at_once(desks, [caller(chosen.random()) for _ in range(8)])) == 8
        watched.await_quiet()
    assert max(Counter(watched.ran).values()) == 1
    assert watched.together == []
    carry_out(desks)
    for path in paths:
        state = desks[1].get(f"{path}/last_operation").get_json().get("state")
        assert state in (None, "succeeded", "failed")
        if desks[1].delete(path).status_code == 202:
            carry_out(desks)
        assert desks[1].delete(path).status_code == 410


class Watched:
    """What workers do, and whether two of them ever do what excludes each other."""

    def __init__(self, desk: Desk) -> None:
        self.ran: list[str] = []
        self.together: list[str] = []
        self._desk, self._busy, self._lock = desk, list[Operation](), threading.Lock()

    def __call__(self, ctx: Context) -> None:
        with self._lock:
            self.ran.append(ctx.operation.id)
            if any(ctx.operation.excludes(other) for other in self._busy):
                self.together.append(ctx.operation.id)
            self._busy.append(ctx.operation)
        try:
            self._desk.carry_out(ctx)
        finally:
            with self._lock:
                self._busy.remove(ctx.operation)

    def await_quiet(self) -> None:
        """Until all operations have ended."""
        quiet = threading.Event()
        for _ in range(int(BOUND_S / 0.02)):
            rows = self._desk.rows()[0][1]
            if all(row["state"] in ("succeeded", "failed", "cancelled") for row in rows):
                return
            quiet.wait(0.02)
        raise AssertionError([(row["id"], row["state"]) for row in rows])
