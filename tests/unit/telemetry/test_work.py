"""What is counted of operations, and what lines of the log say of them."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from prometheus_client import CollectorRegistry

from helmbroker.database import connect
from helmbroker.durable import Context, Done, Failed, Handler, Later, Queue, Step, Transient, Wait, run_steps
from helmbroker.runtime import logs
from helmbroker.telemetry import metric
from helmbroker.telemetry.carried import carried, carrying
from helmbroker.telemetry.traces import Traces
from helmbroker.telemetry.work import Work, described
from tests.operations.harness import Hand
from tests.unit.durable.desk import METADATA, OPERATIONS
from tests.unit.logs import logs_as_before
from tests.unit.telemetry.spans import Spans

__all__ = ["logs_as_before"]
PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    engine = connect(f"sqlite:///{tmp_path}/test.db")
    METADATA.create_all(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def said(logs_as_before: None) -> io.StringIO:
    stream = io.StringIO()
    logs.configure(level="debug", service="test", stream=stream)
    return stream


class Bench:
    """A worker turned by hand that is observed, and what it tells."""

    def __init__(self, engine: sa.Engine, handler: Handler, traces: Traces | None = None) -> None:
        self.registry = CollectorRegistry()
        work = Work(
            described("test", "plan"),
            self.registry,
            traces or Traces(),
            ["work"],
            ["again"],
            lambda operation: {"instance": operation.subject},
            lambda _operation: ("small",),
        )
        self.hand = Hand(engine, OPERATIONS, {"work": handler, "again": handler}, observed=work)
        self.queue = Queue(engine, OPERATIONS, carried)

    def ask(self) -> None:
        with self.queue.engine.begin() as conn:
            self.queue.enqueue(conn, id="o1", kind="work", subject="i1", params={}, timeout_s=99.0)

    def values(self) -> dict[str, float]:
        """Counters, and how many durations there are."""
        lines = (line.rpartition(" ") for line in metric.text(self.registry).decode().splitlines())
        return {
            name: float(value)
            for name, _, value in lines
            if "_total" in name or "_count" in name
            if "#" not in name
        }


def lines(said: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in said.getvalue().splitlines()]


def test_an_operation_that_ends_is_counted_once_with_its_plan(engine: sa.Engine) -> None:
    outcomes: list[Exception] = [Transient("not now", 0.0), Later(0.0)]

    def handle(_ctx: Context) -> str:
        if outcomes:
            raise outcomes.pop(0)
        return "done"

    bench = Bench(engine, handle)
    bench.ask()
    bench.hand.run("o1")
    assert bench.values() == {
        'test_operation_duration_seconds_count{kind="work",plan="small",state="succeeded"}': 1.0,
        'test_operation_retries_total{kind="work"}': 1.0,
        'test_leases_lost_total{kind="work"}': 0.0,
        'test_schedule_runs_total{kind="again",state="succeeded"}': 0.0,
        'test_schedule_runs_total{kind="again",state="failed"}': 0.0,
    }


def test_a_lost_lease_is_counted(engine: sa.Engine) -> None:
    bench = Bench(engine, lambda _ctx: "done")
    bench.ask()
    first = bench.hand.claim()
    assert first is not None
    bench.hand.run("o1")  # another worker has taken it over
    bench.hand.worker.perform(first)
    assert bench.values()['test_leases_lost_total{kind="work"}'] == 1.0


def test_each_line_says_whose_work_it_is(engine: sa.Engine, said: io.StringIO) -> None:
    """Those of durable operations, and those of whatever the handler calls, in its thread."""

    def handle(_ctx: Context) -> str:
        raise RuntimeError("a fault of ours")

    bench = Bench(engine, handle)
    with carrying({"request_identity": "r1", "traceparent": PARENT}):
        bench.ask()
    bench.hand.run("o1")
    found = lines(said)
    assert [line["event"] for line in found] == [
        "operation started",
        "internal error in work",
        "operation is now failed: internal error in work; the log has the cause under operation o1",
    ]
    whose = {"operation": "o1", "instance": "i1", "attempt": 1, "request_identity": "r1"}
    assert [whose | line for line in found] == found
    assert {line["trace_id"] for line in found} == {PARENT.split("-")[1]}


def test_an_operation_that_nobody_has_asked_for_by_a_request_names_itself(
    engine: sa.Engine, said: io.StringIO
) -> None:
    bench = Bench(engine, lambda _ctx: "done")
    bench.ask()
    bench.hand.run("o1")
    assert {line["request_identity"] for line in lines(said)} == {"o1"}


def test_a_trace_goes_on_in_the_worker(engine: sa.Engine) -> None:
    """One span for each claim and for each step of it, however often it is looked at."""
    answers: list[Done | Wait] = [Wait(0.0, "not yet"), Wait(0.0, "not yet"), Done()]
    spans, looks = Spans(), iter(answers)

    def look(_work: None) -> Done | Wait:
        assert carried()["traceparent"] != PARENT
        return next(looks)

    def handle(ctx: Context) -> str:
        run_steps(ctx, [Step("make", lambda _work: Done()), Step("await", look)], None)
        return "done"

    bench = Bench(engine, handle, spans.traces)
    with carrying({"traceparent": PARENT}):
        bench.ask()
    bench.hand.run("o1")
    assert spans.tree() == {"step make": "operation work", "step await": "operation work", "operation work": None}
    assert spans.traces_seen() == {PARENT.split("-")[1]}
    claim = spans.named("operation work")
    assert claim.parent is not None
    assert f"{claim.parent.span_id:016x}" == PARENT.split("-")[2]
    assert (claim.attributes or {})["helmbroker.state"] == "succeeded"


def test_an_operation_that_fails_fails_its_span(engine: sa.Engine) -> None:
    spans = Spans()

    def handle(_ctx: Context) -> str:
        raise Failed("the password canary-1 is wrong")

    bench = Bench(engine, handle, spans.traces)
    bench.ask()
    bench.hand.run("o1")
    (span,) = spans.ended
    assert span.status.description == "failed"
    assert "canary" not in span.to_json()


def test_schedules_make_no_traces(engine: sa.Engine) -> None:
    spans = Spans()
    bench = Bench(engine, lambda _ctx: "done", spans.traces)
    with engine.begin() as conn:
        bench.queue.schedule(conn, "again", 10.0)
    assert bench.hand.turn()
    assert spans.ended == ()


@pytest.mark.parametrize(
    ("ends", "counted"),
    [
        (None, {'test_schedule_runs_total{kind="again",state="succeeded"}'}),
        (Failed("no"), {'test_schedule_runs_total{kind="again",state="failed"}'}),
        (RuntimeError("a fault of ours"), {'test_schedule_runs_total{kind="again",state="failed"}'}),
        (Later(0.0), set()),
    ],
    ids=["well", "failed", "by a fault", "not yet"],
)
def test_a_run_of_a_schedule_is_counted_by_how_it_ended(
    engine: sa.Engine, ends: Exception | None, counted: set[str]
) -> None:
    def handle(_ctx: Context) -> str:
        if ends is not None:
            raise ends
        return "done"

    bench = Bench(engine, handle)
    with engine.begin() as conn:
        bench.queue.schedule(conn, "again", 10.0)
    assert bench.hand.turn()
    assert {name for name, value in bench.values().items() if value} == counted


def test_a_schedule_that_is_tried_again_is_a_retry_and_no_run(engine: sa.Engine) -> None:
    def handle(_ctx: Context) -> str:
        raise Transient("not now", 0.0)

    bench = Bench(engine, handle)
    with engine.begin() as conn:
        bench.queue.schedule(conn, "again", 10.0)
    assert bench.hand.turn()
    (counted,) = (name for name, value in bench.values().items() if value)
    assert counted == 'test_operation_retries_total{kind="again"}'


def test_the_log_says_that_a_run_of_a_schedule_failed(engine: sa.Engine, said: io.StringIO) -> None:
    def handle(_ctx: Context) -> str:
        raise Failed("no")

    bench = Bench(engine, handle)
    with engine.begin() as conn:
        bench.queue.schedule(conn, "again", 10.0)
    assert bench.hand.turn()
    assert lines(said)[-1]["event"] == "operation is now failed: no"
