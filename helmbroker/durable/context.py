"""What a handler holds in its hands: its operation, its time, the word to stop, and its fenced writes."""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import InitVar, dataclass, field
from functools import partial
from typing import Any

import sqlalchemy as sa

from helmbroker.database import OUTAGE
from helmbroker.durable.model import (
    JSON,
    Done,
    Fail,
    Failed,
    Interrupted,
    Later,
    LeaseLost,
    Observer,
    Operation,
    Shutdown,
    Step,
    Transient,
    W,
    plain,
    public,
)
from helmbroker.durable.queue import Queue

log = logging.getLogger("helmbroker.durable")
_SHORT_WAIT_S = 5.0


@dataclass(eq=False, repr=False)
class Context:
    """One claim of one operation. Its methods belong to the thread that runs the handler."""

    queue: Queue
    operation: Operation
    seconds: InitVar[float]  # until the deadline
    max_attempts: int = 8
    transient: tuple[type[Exception], ...] = ()
    draining: threading.Event = field(default_factory=threading.Event)  # leave at the next step

    def __post_init__(self, seconds: float) -> None:
        o = self.operation
        # `stop`: children must end: cancel, lost lease or shutdown
        self.stop, self.observer = threading.Event(), Observer()
        self.leave_at = float("inf")  # on the monotonic clock: the lease is nearly over; set by the worker
        self.results: Mapping[str, JSON] = o.results  # of the finished steps, by name
        self._end, self._step, self._description = time.monotonic() + seconds, "", o.description
        self._why: Interrupted | None = None
        self._open: sa.Connection | None = None

    @property
    def remaining_s(self) -> float:
        """Seconds until the operation's deadline; negative after it."""
        return self._end - time.monotonic()

    def interrupt(self, why: Interrupted) -> None:
        """For the worker: set `stop` and let `check` raise. A lost lease outweighs everything else."""
        if self._why is None or isinstance(why, LeaseLost):
            self._why = why
        self.stop.set()

    def expire(self) -> None:
        """Interrupt the operation if its lease is nearly over."""
        if time.monotonic() > self.leave_at:
            self.interrupt(LeaseLost())

    def check(self) -> None:
        """Raise Cancelled, LeaseLost or Shutdown when the operation has to leave."""
        self.expire()  # here too: in a process that was frozen this may be the first thread that runs again
        if self._why is not None:
            raise type(self._why)

    def still_ours(self) -> None:
        """Ask the database before something that repeating does not undo. Raises LeaseLost, or as `check`.

        Afterwards nobody else takes the operation over until the lease ends, of which 40 % are left at least.
        """
        self.write(partial(self.queue.lock, operation=self.operation))
        self.check()

    def wait(self, seconds: float) -> None:
        """Sleep, but no longer than until `stop`; then `check`."""
        self.stop.wait(seconds)
        self.check()

    def note(self, description: str) -> None:
        """Tell whoever polls what is done or waited for now. Written only when it changed."""
        text = public(description)
        if text != self._description:
            self._description = self._store(description=text).description

    def save(self, step: str, result: JSON) -> None:
        """Store a step's result: the step is finished for good."""
        # run_at: a worker that dies from now on had work to do
        self.results = self._store(results={**self.results, step: plain(result)}, run_at=0.0).results

    def _store(self, **values: Any) -> Operation:
        return self.write(partial(self.queue.write, operation=self.operation, **values))

    @contextmanager
    def transaction(self, *, lock: bool = True) -> Iterator[sa.Connection]:
        """A transaction for the handler's own tables; `note` and `save` inside are part of it.

        Raises LeaseLost, before anything is written, when the operation is not ours any more. While it is
        open nobody can take the operation over, nor can its lease be renewed: keep it short.
        """
        if self._open is not None:
            yield self._open
            return
        try:
            with self.queue.engine.begin() as self._open:
                if lock:
                    self.queue.lock(self._open, self.operation)
                yield self._open
        except LeaseLost:
            self.interrupt(LeaseLost())
            raise
        finally:
            self._open = None

    def write(self, action: Callable[[sa.Connection], Operation]) -> Operation:
        """Do `action`, which begins with a fenced write, in a transaction; while the database is away again and
        again, as long as the lease.
        """
        while True:
            try:
                with self.transaction(lock=False) as conn:
                    return action(conn)
            except OUTAGE as error:
                if self._open is not None:  # the handler's own transaction: it is lost with its connection
                    raise
                if isinstance(self._why, LeaseLost):
                    raise LeaseLost from error
                log.warning("no answer from the database (%s)", type(error).__name__)
                time.sleep(1)

    def begin(self, step: str) -> None:
        """A step begins: the place to leave, also for a worker that only waits for its steps to end."""
        self.check()
        if self.draining.is_set():
            raise Shutdown
        self._step = step
        self.observer.step(step)

    def pause(self, after_s: float, reason: str) -> None:
        """Look again in `after_s` seconds, but not after the deadline: then raise Failed with `reason`."""
        if self.remaining_s <= 0:
            given_s = self.operation.deadline - self.operation.created_at
            raise Failed(f"gave up after {given_s:.0f} s, still waiting: {reason}")
        self.note(reason)
        if after_s >= _SHORT_WAIT_S:
            raise Later(min(after_s, self.remaining_s))
        self.wait(min(after_s, self.remaining_s))

    def meaning(self, error: Exception) -> Exception:
        """What an exception of a handler or step is for the operation: Interrupted, Failed or Transient."""
        if isinstance(error, Interrupted | Failed):
            return error
        if self._why is not None:  # its children were told to end: whatever they say about that is no failure
            return self._why
        place = f"step {self._step}" if self._step else self.operation.kind
        if isinstance(error, Transient):
            again = error
        elif isinstance(error, self.transient + OUTAGE):
            log.warning("temporary failure in %s", place, exc_info=error)
            again = Transient(f"{place} met a temporary failure ({type(error).__name__})")
        else:
            log.error("internal error in %s", place, exc_info=error)
            return Failed(f"internal error in {place}; the log has the cause under operation {self.operation.id}")
        if self.operation.attempt >= self.max_attempts:
            return Failed(f"gave up after {self.operation.attempt} attempts: {again.reason}")
        return again if self.remaining_s > 0 else Failed(f"gave up, its time is over: {again.reason}")


def run_steps(ctx: Context, steps: Sequence[Step[W]], work: W) -> None:
    """Run those of `steps` that have no stored result, in order.

    Raises Failed also after the last attempt, at the deadline and for an unexpected exception: it is the place
    for a handler to clean up. Everything else it raises is for the worker: let it through.
    """
    if len({step.name for step in steps}) < len(steps):
        raise ValueError("two steps have the same name: the second would never run")
    for step in steps:
        while step.name not in ctx.results:
            ctx.begin(step.name)
            try:
                outcome = step.run(work)
            except Exception as error:
                ctx.check()
                raise ctx.meaning(error) from error
            if isinstance(outcome, Done):
                ctx.save(step.name, outcome.result)
                break
            ctx.check()
            if isinstance(outcome, Fail):
                raise Failed(outcome.reason)
            ctx.pause(outcome.after_s, outcome.reason)
