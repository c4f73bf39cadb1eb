"""Runs operations: one thread claims, one keeps the leases, one per operation runs its handler."""

import random
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import KW_ONLY, dataclass, field
from functools import partial
from typing import TypeAlias

import sqlalchemy as sa

from helmbroker.database import Presence, reader
from helmbroker.durable.context import Context, log
from helmbroker.durable.model import (
    Cancelled,
    Failed,
    Later,
    LeaseLost,
    Observer,
    Operation,
    Shutdown,
    State,
    Transient,
    public,
)
from helmbroker.durable.queue import OnFinish, Queue

Handler: TypeAlias = Callable[[Context], str | None]
_USABLE_LEASE = 0.6  # of a lease that cannot be renewed: children must have ended before the rest is over
_LONGEST_BACKOFF_S = 300.0


@dataclass(eq=False, repr=False)
class Worker:
    """Runs the operations of `handlers` (by kind), at most `concurrency` at a time. Times are seconds.

    `transient` exceptions of a handler mean the same as Transient. `on_finish` gets the finished operation, in
    the transaction that finishes it. `limit`: of the operations that run at a time, over all workers together.
    `schedules` (kind -> seconds): these kinds run again and again, each in one worker at a time (`Queue.schedule`).
    `observed`: who learns of each claim; it is entered before, and left after everything is stored.
    """

    queue: Queue
    handlers: Mapping[str, Handler]
    _: KW_ONLY
    concurrency: int = 8
    lease_s: float = 60.0
    heartbeat_s: float = 2.0
    poll_s: float = 0.15  # on SQLite, where a look costs next to nothing; on PostgreSQL three times as long
    max_attempts: int = 8
    transient: tuple[type[Exception], ...] = ()
    on_finish: OnFinish = lambda _conn, _operation: None
    limit: int | None = None
    schedules: Mapping[str, float] = field(default_factory=dict)
    observed: Callable[[Operation], AbstractContextManager[Observer]] = lambda _: nullcontext(Observer())

    def __post_init__(self) -> None:
        self._kinds, self._presence = frozenset(self.handlers), Presence(self.queue.engine, self.queue.workers)
        self._running: dict[Context, threading.Thread] = {}  # copies of it are atomic
        self._wake, self._draining, self._ended = threading.Event(), threading.Event(), threading.Event()

    def run(self, stop: threading.Event, grace_s: float = 20.0) -> None:
        """Work until `stop` is set; then let steps in progress end for `grace_s` seconds, interrupt the rest,
        and leave unfinished operations to the next worker. Once per Worker. Raises RuntimeError when a thread died.
        """
        claims, heartbeats = (threading.Thread(target=f, daemon=True) for f in (self._claims, self._heartbeats))
        claims.start()
        heartbeats.start()
        try:
            while not stop.wait(self.heartbeat_s):
                self._expire()
                if not (claims.is_alive() and heartbeats.is_alive()):
                    raise RuntimeError("a thread of the worker ended by an error; the process must be restarted")
        finally:
            self._draining.set()
            self._wake.set()
            end = time.monotonic() + grace_s
            while claims.is_alive() or any(thread.is_alive() for thread in self._running.copy().values()):
                self._expire()
                # not before claims have ended: the last one would take again what is handed back
                for ctx in self._running.copy() if not claims.is_alive() and time.monotonic() >= end else ():
                    ctx.interrupt(Shutdown())
                self._ended.wait(0.02)
            self._ended.set()
            heartbeats.join()

    def _expire(self) -> None:
        """Without any I/O, because I/O may hang just when it matters."""
        for ctx in self._running.copy():
            ctx.expire()

    def perform(self, ctx: Context) -> None:
        """Run one claimed operation in this thread, and write how it ended."""
        with self.observed(ctx.operation) as ctx.observer:
            try:
                ctx.observer.left(ctx.write(self._ending(ctx)))
            except LeaseLost:
                ctx.observer.left(None)
            except Exception:  # of on_finish: without it there is no outcome; it is tried again when the lease ends
                log.exception("the end of the operation could not be stored")

    def _handle(self, ctx: Context) -> str:
        operation = ctx.operation
        if operation.cancel_requested:  # its worker died; whoever cancelled it has queued the clean-up
            raise Cancelled
        if operation.attempt > self.max_attempts:
            raise Failed(f"gave up after {operation.attempt - 1} attempts; the last one: {operation.description}")
        try:
            return self.handlers[operation.kind](ctx) or "done"
        except Exception as error:
            raise ctx.meaning(error) from error

    def _ending(self, ctx: Context) -> Callable[[sa.Connection], Operation]:
        """Run the handler. What its end means for the row, to be done in a fenced transaction."""
        operation, queue = ctx.operation, self.queue
        finish = partial(queue.finish, operation=operation, on_finish=self.on_finish)
        requeue = partial(queue.requeue, operation=operation)
        try:
            return partial(finish, state=State.SUCCEEDED, description=self._handle(ctx))
        except Failed as error:
            return partial(finish, state=State.FAILED, description=error.reason)
        except Cancelled:
            return partial(finish, state=State.CANCELLED, description="cancelled")
        except Later as later:  # and Shutdown: neither is an attempt
            return partial(requeue, after_s=later.after_s, attempt=ctx.operation.attempt - 1)
        except Transient as error:
            backoff_s = min(_LONGEST_BACKOFF_S, 2.0**operation.attempt) * random.SystemRandom().uniform(0.5, 1.0)
            pause_s = backoff_s if error.after_s is None else error.after_s
            return partial(requeue, after_s=min(pause_s, ctx.remaining_s), description=public(error.reason))

    def _claims(self) -> None:
        while not self._draining.is_set():
            try:
                self._presence.tell()
                with self.queue.engine.begin() as conn:
                    for kind, every_s in sorted(self.schedules.items()):
                        self.queue.schedule(conn, kind, every_s)
                with reader(self.queue.engine).connect() as conn:
                    self._look(conn)
            except sa.exc.SQLAlchemyError as error:
                log.warning("cannot look for operations (%s); trying again", type(error).__name__)
                self._draining.wait(4 * self.poll_s)

    def _look(self, conn: sa.Connection) -> None:
        """Claim what is due. On SQLite nobody looks into an unchanged file: idling costs next to nothing."""
        claimed, version, due = False, None, 0.0  # on the monotonic clock
        while not self._draining.is_set():
            pause_s = self.poll_s
            if len(self._running) < self.concurrency:
                if not claimed:  # where one was due there may be more: looking first would be twice the work
                    with conn.begin():
                        seen = self.queue.version(conn)
                        pause_s *= 3 if seen is None else 1
                        if seen is None or seen != version or due <= time.monotonic():
                            due = time.monotonic() + self.queue.due_in_s(conn, self._kinds, self.limit)
                            version = seen
                claimed = due <= time.monotonic() and self._claim()
                if claimed:
                    continue
                pause_s = min(pause_s, max(due - time.monotonic(), 0.01))
            self._wake.wait(pause_s)
            self._wake.clear()

    def _claim(self) -> bool:
        before = time.monotonic()
        claimed = self.queue.claim(self._presence.owner, self._kinds, self.lease_s, self.limit)
        if claimed is None:
            return False
        ctx = Context(self.queue, *claimed, self.max_attempts, self.transient, self._draining)
        ctx.leave_at = before + self.lease_s * _USABLE_LEASE
        thread = threading.Thread(target=self._run, args=(ctx,), name=f"operation-{ctx.operation.seq}", daemon=True)
        self._running[ctx] = thread
        thread.start()
        return True

    def _run(self, ctx: Context) -> None:
        for its, thread in self._running.copy().items():
            old, new = its.operation, ctx.operation
            if old.excludes(new) and (old.seq, old.fence) < (new.seq, new.fence):
                its.interrupt(LeaseLost())  # a claim that this process has lost, or ended, and not left yet
                thread.join()
        try:
            self.perform(ctx)
        finally:
            del self._running[ctx]
            self._wake.set()

    def _heartbeats(self) -> None:
        while not self._ended.wait(self.heartbeat_s):
            try:
                if self._running:
                    self._beat(self._running.copy())
                self._presence.tell()
            except sa.exc.SQLAlchemyError as error:
                log.warning("cannot renew leases (%s); trying again", type(error).__name__)
        self._presence.leave()

    def _beat(self, contexts: Iterable[Context]) -> None:
        before = time.monotonic()
        held = self.queue.renew({ctx.operation.seq: ctx.operation.fence for ctx in contexts}, self.lease_s)
        for ctx in contexts:
            cancel, left_s = held.get(ctx.operation.seq, (True, 0.0))
            ctx.leave_at = before + left_s - self.lease_s * (1 - _USABLE_LEASE)
            if cancel:
                ctx.interrupt(Cancelled() if ctx.operation.seq in held else LeaseLost())
