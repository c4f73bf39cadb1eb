"""Runs operations: one thread claims, one keeps the leases, one per operation runs its handler (and its children)."""

import os
import random
import socket
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from typing import TypeAlias

import sqlalchemy as sa

from helmbroker.durable.context import Context, log
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
)
from helmbroker.durable.queue import Queue

Handler: TypeAlias = Callable[[Context], str | None]
OnFinish: TypeAlias = Callable[[sa.Connection, Operation], None]
_LOST_AFTER = 0.6  # of a lease that could not be renewed: its children end while it still holds
_RENEWALS_PER_LEASE = 6
_LONGEST_BACKOFF_S = 300.0
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
        """Work until `stop` is set, then let steps in progress end for `grace_s` seconds, interrupt the rest, and
        hand unfinished operations to the next worker. Once per Worker."""
        service = [
            threading.Thread(target=t, name=t.__name__, daemon=True) for t in (self._claims, self._heartbeats)
        ]
        for thread in service:
            thread.start()
        try:
            while not stop.wait(self._heartbeat_s):
                self._watch()
                if not all(thread.is_alive() for thread in service):
                    raise RuntimeError(
                        "a thread of the worker ended by an error; the process should be restarted"
                    )
        finally:
            self._draining.set()
            self._wake.set()
            service[0].join()
            self._drain(grace_s)
            self._ended.set()
            service[1].join()

    def perform(self, ctx: Context) -> None:
        """Run one claimed operation in this thread, and write how it ended."""
        log.info("operation started", extra=ctx.log_fields)
        try:
            ctx.write(self._ending(ctx))
        except LeaseLost:
            log.warning("operation left: its lease is lost", extra=ctx.log_fields)
        except sa.exc.SQLAlchemyError:
            log.exception(
                "the end of the operation could not be stored; it is repeated", extra=ctx.log_fields
            )

    def _handle(self, ctx: Context) -> str:
        operation = ctx.operation
        if operation.cancel_requested:  # its worker died; whoever cancelled it has queued the clean-up
            raise Cancelled
        if operation.attempt > self._max_attempts:
            raise Failed(
                f"gave up after {operation.attempt - 1} attempts, the last one during: {operation.description}"
            )
        try:
            return self._handlers[operation.kind](ctx) or "done"
        except Exception as error:
            raise ctx.meaning(error) from error

    def _ending(self, ctx: Context) -> Callable[[sa.Connection], None]:
        """Run the handler. What its end means for the row, to be done in a fenced transaction."""
        operation, queue = ctx.operation, self._queue
        try:
            return self._finish(ctx, State.SUCCEEDED, self._handle(ctx))
        except Failed as error:
            return self._finish(ctx, State.FAILED, error.reason)
        except Cancelled:
            return self._finish(ctx, State.CANCELLED, "cancelled")
        except Later as error:
            after_s = error.after_s
            return lambda conn: queue.requeue(conn, operation, after_s, counts=False)
        except Shutdown:
            log.info("operation handed back", extra=ctx.log_fields)
            return lambda conn: queue.hand_back(conn, operation)
        except Transient as error:
            pause_s, text = error.after_s, error.reason
            if pause_s is None:
                pause_s = min(_LONGEST_BACKOFF_S, 2.0**operation.attempt) * _jitter.uniform(0.5, 1.0)
            pause_s = max(0.0, min(pause_s, ctx.remaining_s))
            log.warning("operation is tried again in %.1f s: %s", pause_s, text, extra=ctx.log_fields)
            return lambda conn: queue.requeue(conn, operation, pause_s, description=text, counts=True)

    def _finish(self, ctx: Context, state: State, description: str) -> Callable[[sa.Connection], None]:
        def write(conn: sa.Connection) -> None:
            finished = self._queue.finish(conn, ctx.operation, state, description)
            if self._on_finish is not None:
                self._on_finish(conn, finished)
            log.info("operation %s: %s", state, finished.description, extra=ctx.log_fields | {"state": state})

        return write

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
                pause_s = max(pause_s, 1.0)
            self._wake.wait(pause_s)
            self._wake.clear()
        lookout.close()

    def _claim(self) -> bool:
        before = time.monotonic()
        claimed = self._queue.claim(self._owner, self._kinds, self._lease_s)
        if claimed is None:
            return False
        ctx = Context(
            self._queue,
            *claimed,
            max_attempts=self._max_attempts,
            transient=self._transient,
            draining=self._draining,
        )
        ctx.renewed = before
        thread = threading.Thread(
            target=self._run, args=(ctx,), name=f"operation-{ctx.operation.seq}", daemon=True
        )
        with self._mutex:
            self._running[ctx] = thread
        thread.start()
        return True

    def _run(self, ctx: Context) -> None:
        try:
            with self._mutex:
                subject = ctx.operation.subject
                old = [c for c in self._running if c is not ctx and c.operation.subject == subject]
                threads = [self._running[c] for c in old]
            for other, thread in zip(
                old, threads, strict=True
            ):  # a claim that this process lost, and has not left yet
                other.interrupt(LeaseLost())
                thread.join()
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
                self._beat({ctx.operation.seq: ctx for ctx in self._contexts()})
            except sa.exc.SQLAlchemyError as error:
                log.warning("cannot renew leases (%s); trying again", type(error).__name__)

    def _beat(self, held: Mapping[int, Context]) -> None:
        if not held:
            return
        now = time.monotonic()
        old = {
            s: c.operation.fence
            for s, c in held.items()
            if now - c.renewed > self._lease_s / _RENEWALS_PER_LEASE
        }
        if old:
            with self._queue.engine.begin() as conn:
                renewed = self._queue.renew(conn, old, self._lease_s)
            for seq in renewed:
                held[seq].renewed = now
        with reader(self._queue.engine).connect() as conn:
            cancels = self._queue.held(conn, {seq: ctx.operation.fence for seq, ctx in held.items()})
        for seq, ctx in held.items():
            if seq not in cancels:
                ctx.interrupt(LeaseLost())
            elif cancels[seq]:
                ctx.interrupt(Cancelled())

    def _watch(self) -> None:
        """Without any I/O, which may hang when it matters."""
        for ctx in self._contexts():
            if time.monotonic() - ctx.renewed > self._lease_s * _LOST_AFTER:
                ctx.interrupt(LeaseLost())

    def _drain(self, grace_s: float) -> None:
        end = time.monotonic() + grace_s
        while contexts := self._contexts():
            self._watch()
            if time.monotonic() >= end:
                for ctx in contexts:
                    ctx.interrupt(Shutdown())
            self._wake.wait(self._heartbeat_s)
            self._wake.clear()


class _Lookout:
    """Says when there is something to claim. On SQLite an unchanged file is not looked into (PRAGMA data_version)."""

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
                due_in_s = self._queue.due_in_s(self._conn, self._kinds)
                self._due = time.monotonic() + (float("inf") if due_in_s is None else due_in_s)
            self._version = version
        return self._due - time.monotonic()

    def close(self) -> None:
        if self._conn is not None:
            self._conn.close()
            self._conn = None
