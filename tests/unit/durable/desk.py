"""A consumer of durable operations: its tables, what it asks and what it reads."""

import itertools
import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import sqlalchemy as sa

from helmbroker.database import reader
from helmbroker.durable import JSON, Context, Handler, Observer, Operation, Queue, Worker, define

METADATA = sa.MetaData()
OPERATIONS = define(METADATA)
OWN = sa.Table("own", METADATA, sa.Column("word", sa.String(100), primary_key=True))  # a consumer's table
BOUND_S = 60.0  # no wait of a test lasts longer


def at_once(_ctx: Context) -> str:
    """A handler that has nothing to do."""
    return "done"


class Seen:
    """Writes down what an observer is told: the attempt of each claim, its steps, its state afterwards."""

    def __init__(self) -> None:
        self.told: list[tuple[str, object]] = []

    def __call__(self, operation: Operation) -> AbstractContextManager[Observer]:
        self.told.append(("claimed", operation.attempt))
        return nullcontext(_Seeing(self.told))


class _Seeing(Observer):
    def __init__(self, told: list[tuple[str, object]]) -> None:
        self._told = told

    def step(self, name: str) -> None:
        self._told.append(("step", name))

    def left(self, after: Operation | None) -> None:
        self._told.append(("left", None if after is None else after.state))


class Desk:
    """The consumer's side: what it asks, and what it reads."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine, self.queue = engine, Queue(engine, OPERATIONS)
        self._ids = (f"operation-{n}" for n in itertools.count(1))

    def enqueue(
        self,
        kind: str = "work",
        subject: str = "subject",
        *,
        id: str | None = None,  # noqa: A002
        params: Mapping[str, JSON] | None = None,
        timeout_s: float = 600.0,
        lane: str = "",
    ) -> Operation:
        with self.engine.begin() as conn:
            return self.queue.enqueue(
                conn,
                id=id or next(self._ids),
                kind=kind,
                subject=subject,
                params=params or {},
                timeout_s=timeout_s,
                lane=lane,
            )

    def read(self, operation: Operation) -> Operation:
        with reader(self.engine).connect() as conn:
            found = self.queue.get(conn, operation.id)
        assert found is not None
        return found

    def cancel(self, subject: str = "subject", description: str = "no longer wanted") -> list[str]:
        with self.engine.begin() as conn:
            return self.queue.cancel(conn, subject, description=description)

    def words(self) -> list[str]:
        with reader(self.engine).connect() as conn:
            return list(conn.scalars(sa.select(OWN.c.word)))

    def time_of(self, operation: Operation, column: str) -> float:
        """A column of its row that Operation does not show, in seconds since the epoch."""
        with reader(self.engine).connect() as conn:
            seconds = conn.scalar(sa.select(OPERATIONS.c[column]).where(OPERATIONS.c.id == operation.id))
        assert seconds is not None
        return float(seconds)

    def age(self, operation: Operation, seconds: float) -> None:
        """The operation is older by so much: its lease may be over."""
        times = {name: self.time_of(operation, name) for name in ("run_at", "lease_until")}
        changed = {name: time - seconds for name, time in times.items() if time}  # 0 is no time
        self.change(operation, **changed)

    def change(self, operation: Operation, **values: Any) -> None:
        """Change a row behind everybody's back."""
        with self.engine.begin() as conn:
            conn.execute(OPERATIONS.update().where(OPERATIONS.c.id == operation.id).values(**values))


class Finished:
    """An `on_finish` that a test can wait on."""

    def __init__(self) -> None:
        self.operations: list[Operation] = []
        self._changed = threading.Condition()

    def __call__(self, conn: sa.Connection, operation: Operation) -> None:
        with self._changed:
            self.operations.append(operation)
            self._changed.notify_all()

    def wait(self, count: int) -> list[Operation]:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.operations) >= count, BOUND_S), self.operations
            return self.operations


@contextmanager
def running(worker: Worker, grace_s: float = BOUND_S) -> Iterator[threading.Event]:
    """`worker` runs in a thread; at the end of the block it is stopped. Yields its stop event."""
    stop = threading.Event()
    thread = threading.Thread(target=worker.run, args=(stop, grace_s))
    thread.start()
    try:
        yield stop
    finally:
        stop.set()
        thread.join(2 * BOUND_S)
        assert not thread.is_alive(), "the worker did not stop"


class Gate:
    """A handler that a test can watch, hold and release; it leaves when it is told to stop."""

    def __init__(self) -> None:
        self.entered, self.open = threading.Semaphore(0), threading.Event()
        self.contexts: list[Context] = []

    def __call__(self, ctx: Context) -> str:
        self.contexts.append(ctx)
        self.entered.release()
        while not self.open.wait(0.002):
            ctx.check()
        return "through the gate"

    def await_entry(self) -> Context:
        assert self.entered.acquire(timeout=BOUND_S), "no operation was started"
        return self.contexts[-1]


def quick(desk: Desk, handler: Handler, finished: Finished, **options: Any) -> Worker:
    """A worker that looks and beats a hundred times a second."""
    fast = {"heartbeat_s": 0.01, "poll_s": 0.01} | options
    return Worker(desk.queue, {"work": handler}, on_finish=finished, **fast)
