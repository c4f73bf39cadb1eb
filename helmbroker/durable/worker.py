"""Runs operations: one thread claims, one keeps the leases, one per operation runs its handler."""

import logging
import os
import random
import socket
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from typing import TypeAlias

import sqlalchemy as sa

from helmbroker.durable.context import Context
from helmbroker.durable.engine import reader
from helmbroker.durable.model import (
    Cancelled,
    Failed,
    Later,
    LeaseLost,
    Operation,
    Shutdown,
    State,
    Transient,
    public,
)
from helmbroker.durable.queue import Queue

Handler: TypeAlias = Callable[[Context], str | None]
OnFinish: TypeAlias = Callable[[sa.Connection, Operation], None]
_USABLE_LEASE = 0.6  # of a lease that cannot be renewed: children must have ended before the rest is over
_LONGEST_BACKOFF_S = 300.0
log = logging.getLogger("helmbroker.durable")
_jitter = random.SystemRandom()


class Worker:
    """Runs the operations of `handlers` (by kind), at most `concurrency` at a time. Times are seconds."""

    def __init__(
        self,
        queue: Queue,
        handlers: Mapping[str, Handler],
        *,
        concurrency: int = 8,
        lease_s: float = 60.0,
        heartbeat_s: float = 2.0,
        poll_s: float = 0.3,
        max_attempts: int = 8,
        transient: tuple[type[Exception], ...] = (),
        on_finish: OnFinish | None = None,
    ) -> None:
        self._queue, self._handlers, self._kinds = queue, dict(handlers), frozenset(handlers)
        self._concurrency, self._max_attempts, self._transient = concurrency, max_attempts, transient
        self._lease_s, self._heartbeat_s, self._poll_s = lease_s, heartbeat_s, poll_s
        self._on_finish = on_finish
        self._owner = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
        self._running: dict[Context, threading.Thread] = {}
        self._mutex = threading.Lock()
        self._wake, self._draining, self._ended = threading.Event(), threading.Event(), threading.Event()

    def run(self, stop: threading.Event, grace_s: float = 20.0) -> None:
        """Work until `stop` is set; then let steps in progress end for `grace_s` seconds, interrupt the rest,
        and leave unfinished operations to the next worker. Once per Worker."""
        claims, heartbeats = (threading.Thread(target=f, daemon=True) for f in (self._claims, self._heartbeats))
        claims.start()
        heartbeats.start()
        try:
            while not stop.wait(self._heartbeat_s):
                self._watch()
                if not (claims.is_alive() and heartbeats.is_alive()):
                    raise RuntimeError("a thread of the worker ended by an error; the process must be restarted")
        finally:
            self._draining.set()
            self._wake.set()
            self._drain(claims, time.monotonic() + grace_s)
            self._ended.set()
            heartbeats.join()

    def perform(self, ctx: Context) -> None:
        """Run one claimed operation in this thread, and write how it ended."""
        log.info("operation started", extra=ctx.log_fields)
        try:
            ending = self._ending(ctx)
            after = ctx.write(lambda conn: self._end(conn, ending))
            log.info("operation is now %s: %s", after.state, after.description, extra=ctx.log_fields)
        except LeaseLost:
            log.warning("operation left to others: its lease is lost", extra=ctx.log_fields)
        except Exception:  # of on_finish: without it there is no outcome, so it is tried again when the lease ends
            log.exception("the end of the operation could not be stored", extra=ctx.log_fields)

    def _end(self, conn: sa.Connection, ending: Callable[[sa.Connection], Operation]) -> Operation:
        after = ending(conn)
        if after.state.finished and self._on_finish is not None:
            self._on_finish(conn, after)
        return after

    def _handle(self, ctx: Context) -> str:
        operation = ctx.operation
        if operation.cancel_requested:  # its worker died; whoever cancelled it has queued the clean-up
            raise Cancelled
        if operation.attempt > self._max_attempts:
            raise Failed(f"gave up after {operation.attempt - 1} attempts; the last one: {operation.description}")
        try:
            return self._handlers[operation.kind](ctx) or "done"
        except Failed:
            raise
        except Exception as error:
            raise ctx.meaning(error) from error

    def _ending(self, ctx: Context) -> Callable[[sa.Connection], Operation]:
        """Run the handler. What its end means for the row, to be done in a fenced transaction."""
        operation, queue = ctx.operation, self._queue
        given_back = operation.attempt - 1  # this claim does not count
        try:
            text = self._handle(ctx)
            return lambda conn: queue.finish(conn, operation, State.SUCCEEDED, text)
        except Failed as error:
            reason = error.reason
            return lambda conn: queue.finish(conn, operation, State.FAILED, reason)
        except Cancelled:
            return lambda conn: queue.finish(conn, operation, State.CANCELLED, "cancelled")
        except Later as later:
            after_s = later.after_s
            return lambda conn: queue.requeue(conn, operation, after_s, attempt=given_back)
        except Shutdown:
            return lambda conn: queue.hand_back(conn, operation, attempt=given_back)
        except Transient as error:
            pause_s, again = error.after_s, public(error.reason)
            if pause_s is None:
                pause_s = min(_LONGEST_BACKOFF_S, 2.0**operation.attempt) * _jitter.uniform(0.5, 1.0)
            return lambda conn: queue.requeue(conn, operation, min(pause_s, ctx.remaining_s), description=again)

    def _claims(self) -> None:
        lookout = _Lookout(self._queue, self._kinds)
        while not self._draining.is_set():
            pause_s = self._poll_s
            try:
                if len(self._running) < self._concurrency:
                    due_in_s = lookout.due_in_s()
                    if due_in_s <= 0 and self._claim():
                        continue
                    pause_s = min(pause_s, max(due_in_s, 0.01))
            except sa.exc.SQLAlchemyError as error:
                log.warning("cannot look for operations (%s); trying again", type(error).__name__)
                lookout.close()
                pause_s = 4 * self._poll_s
            self._wake.wait(pause_s)
            self._wake.clear()
        lookout.close()
        self._wake.set()

    def _claim(self) -> bool:
        before = time.monotonic()
        claimed = self._queue.claim(self._owner, self._kinds, self._lease_s)
        if claimed is None:
            return False
        ctx = Context(self._queue, *claimed, self._max_attempts, self._transient, self._draining)
        ctx.leave_at = before + self._lease_s * _USABLE_LEASE
        thread = threading.Thread(target=self._run, args=(ctx,), name=f"operation-{ctx.operation.seq}", daemon=True)
        with self._mutex:
            self._running[ctx] = thread
        thread.start()
        return True

    def _run(self, ctx: Context) -> None:
        new = ctx.operation
        with self._mutex:
            others = [(old.operation, old, thread) for old, thread in self._running.items()]
        for old, its, thread in others:
            if old.subject == new.subject and (old.seq, old.fence) < (new.seq, new.fence):
                its.interrupt(LeaseLost())  # a claim that this process has lost, or ended, and not left yet
                thread.join()
        try:
            self.perform(ctx)
        finally:
            with self._mutex:
                del self._running[ctx]
            self._wake.set()

    def _contexts(self) -> list[Context]:
        with self._mutex:
            return list(self._running)

    def _heartbeats(self) -> None:
        while not self._ended.wait(self._heartbeat_s):
            try:
                self._beat(self._contexts())
            except sa.exc.SQLAlchemyError as error:
                log.warning("cannot renew leases (%s); trying again", type(error).__name__)

    def _beat(self, contexts: list[Context]) -> None:
        if not contexts:
            return
        before, fences = time.monotonic(), {ctx.operation.seq: ctx.operation.fence for ctx in contexts}
        held = self._queue.renew(fences, self._lease_s)
        for ctx in contexts:
            cancel, left_s = held.get(ctx.operation.seq, (True, 0.0))
            ctx.leave_at = before + left_s - self._lease_s * (1 - _USABLE_LEASE)
            if cancel:
                ctx.interrupt(Cancelled() if ctx.operation.seq in held else LeaseLost())

    def _watch(self) -> None:
        """Without any I/O, because I/O may hang just when it matters."""
        for ctx in self._contexts():
            ctx.expire()

    def _drain(self, claims: threading.Thread, end: float) -> None:
        while (contexts := self._contexts()) or claims.is_alive():
            self._watch()
            if time.monotonic() >= end:
                for ctx in contexts:
                    ctx.interrupt(Shutdown())
            self._wake.wait(min(self._heartbeat_s, max(end - time.monotonic(), 0.05)))
            self._wake.clear()


class _Lookout:
    """Says when there is something to claim. On SQLite nobody looks into an unchanged file (data_version)."""

    def __init__(self, queue: Queue, kinds: frozenset[str]) -> None:
        self._queue, self._kinds = queue, kinds
        self._conn: sa.Connection | None = None
        self._version: object = None
        self._due = 0.0  # on the monotonic clock

    def due_in_s(self) -> float:
        """Seconds until an operation can be claimed, as far as is known now."""
        if self._conn is None:
            self._conn, self._version = reader(self._queue.engine).connect(), None
        with self._conn.begin():
            version = self._queue.version(self._conn)
            if version is None or version != self._version or self._due <= time.monotonic():
                self._due = time.monotonic() + self._queue.due_in_s(self._conn, self._kinds)
                self._version = version
        return self._due - time.monotonic()

    def close(self) -> None:
        """Give the connection back; the next look takes a new one."""
        if self._conn is not None:
            self._conn.close()
            self._conn = None
