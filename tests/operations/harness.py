"""Runs durable operations without threads, and proves that a handler ends the same however it is disturbed.

`Hand` is a worker that a test turns by hand. `assert_same_end(make_case)` runs an operation once in peace to learn
its steps, then once more per step and disturbance, each time in a new case:

- the process dies before the step, after it but before its result is stored (the step is repeated), and after that;
- the step fails for now (`Transient`), before and after it did its work;
- the step fails by an exception that nobody expects: the operation must end FAILED without telling its text.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from helmbroker.database import reader
from helmbroker.durable import JSON, Context, Handler, Operation, Queue, State, Transient, Worker

LEASE_S = 60.0
_SECRET = "a text that nobody may see"
_MOST_CLAIMS = 200


class Dies(BaseException):
    """The process ends here: nothing after this is done by it."""


class Fault(StrEnum):
    """What happens, and where in a step."""

    DIES_BEFORE = "dies before"
    DIES_UNSAVED = "dies before the result is stored"
    DIES_AFTER = "dies after the result is stored"
    TRANSIENT_BEFORE = "fails for now, before"
    TRANSIENT_UNSAVED = "fails for now, before the result is stored"
    EXCEPTION = "fails for ever"


class Disturbed(Context):
    """A claim in which one step meets one fault, once."""

    fault: tuple[str, Fault] | None = None
    spare = 0  # how often the place of the fault is passed before

    def begin(self, step: str) -> None:
        super().begin(step)
        self._meet(step, Fault.DIES_BEFORE, Fault.TRANSIENT_BEFORE)

    def save(self, step: str, result: JSON) -> None:
        self._meet(step, Fault.DIES_UNSAVED, Fault.TRANSIENT_UNSAVED, Fault.EXCEPTION)
        super().save(step, result)
        self._meet(step, Fault.DIES_AFTER)

    def _meet(self, step: str, *faults: Fault) -> None:
        if self.fault is None or self.fault[0] != step or self.fault[1] not in faults:
            return
        if self.spare > 0:
            self.spare -= 1
            return
        fault, self.fault = self.fault[1], None
        if fault in {Fault.TRANSIENT_BEFORE, Fault.TRANSIENT_UNSAVED}:
            raise Transient("disturbed by the test", 0.0)
        if fault is Fault.EXCEPTION:
            raise RuntimeError(_SECRET)
        raise Dies


class Hand:
    """A worker turned by hand: what is claimed runs in the caller's thread, and time passes when it is told to."""

    claims: type[Disturbed] = Disturbed

    def __init__(
        self,
        engine: sa.Engine,
        table: sa.Table,
        handlers: Mapping[str, Handler],
        *,
        max_attempts: int = 8,
        **options: Any,
    ) -> None:
        self.engine, self.table, self.queue = engine, table, Queue(engine, table)
        self.worker = Worker(self.queue, handlers, max_attempts=max_attempts, **options)
        self._kinds, self._max_attempts = frozenset(handlers), max_attempts
        self._transient: tuple[type[Exception], ...] = options.get("transient", ())

    def claim(self) -> Disturbed | None:
        """Take what is due."""
        claimed = self.queue.claim("by hand", self._kinds, LEASE_S)
        return None if claimed is None else self.claims(self.queue, *claimed, self._max_attempts, self._transient)

    def turn(self) -> bool:
        """Claim one operation and run it until it ends or leaves; False when nothing is due."""
        ctx = self.claim()
        if ctx is not None:
            self.worker.perform(ctx)
        return ctx is not None

    def pass_time(self) -> None:
        """Pauses are over, leases have expired."""
        with self.engine.begin() as conn:
            # 1: whoever died did so at once, as far as attempts are counted
            conn.execute(self.table.update().values(run_at=1.0, lease_until=0.0))

    def operation(self, id: str) -> Operation:  # noqa: A002 - the word of the row
        with reader(self.engine).connect() as conn:
            operation = self.queue.get(conn, id)
        assert operation is not None, f"operation {id} is not there"
        return operation

    def run(self, id: str, fault: tuple[str, Fault] | None = None) -> Operation:  # noqa: A002
        """Run everything until operation `id` has finished; `fault` disturbs it once."""
        for _ in range(_MOST_CLAIMS):
            if self.operation(id).state.finished:
                return self.operation(id)
            self.pass_time()
            ctx = self.claim()
            assert ctx is not None, f"operation {id} is not finished, and nothing can be claimed"
            if ctx.operation.id == id:
                ctx.fault, fault = fault, None
            with suppress(Dies):
                self.worker.perform(ctx)
            if ctx.operation.id == id and ctx.fault is not None:
                fault = ctx.fault  # it waited before it came to the step
        raise AssertionError(f"operation {id} has not finished after {_MOST_CLAIMS} claims")


@dataclass(frozen=True)
class Case:
    """An operation that waits in a fresh database and a fresh world."""

    hand: Hand
    operation_id: str
    observe: Callable[[], object]  # the world afterwards: whatever must be the same at every run


def assert_same_end(make_case: Callable[[], Case], state: State = State.SUCCEEDED) -> None:
    """Assert that the operation ends in `state` with the same results and world under every fault."""
    case = make_case()
    peace = case.hand.run(case.operation_id)
    assert peace.state is state, peace.description
    assert peace.results, "the handler has no steps"
    world = case.observe()
    for fault in ((step, kind) for step in peace.results for kind in Fault):
        case = make_case()
        end = case.hand.run(case.operation_id, fault)
        if fault[1] is Fault.EXCEPTION:
            assert (end.state, _SECRET in end.description) == (State.FAILED, False), (fault, end)
            continue
        same = (end.state, end.results, case.observe()) == (state, peace.results, world)
        assert same, f"step {fault[0]} {fault[1]}: {end}, {case.observe()}; in peace: {peace}, {world}"
