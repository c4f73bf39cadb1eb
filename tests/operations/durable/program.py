"""A worker process of the tests: runs operations of two steps, and tells on its standard output what it does.

Arguments: the database's URL and the worker's lease in seconds.
"""

import json
import os
import signal
import sys
import threading
import time

from helmbroker.database import connect
from helmbroker.durable import Context, Done, Interrupted, Operation, Queue, Step, Worker, run_steps
from tests.unit.durable.desk import OPERATIONS

LEASE_S = float(sys.argv[2])


def tell(event: str, operation: Operation, step: str = "") -> None:
    """One line in one write: whole, or not there."""
    line = {"event": event, "pid": os.getpid(), "at": time.monotonic(), "step": step}
    line |= {"operation": operation.id, "subject": operation.subject, "fence": operation.fence}
    os.write(1, (json.dumps(line) + "\n").encode())


def handle(ctx: Context) -> str:
    def run(step: str) -> Done:
        tell("begin", ctx.operation, step)
        try:
            ctx.wait(float(str(ctx.operation.params["step_s"])))
        except Interrupted as error:
            tell(type(error).__name__, ctx.operation, step)
            raise
        tell("end", ctx.operation, step)
        return Done({"pid": os.getpid(), "fence": ctx.operation.fence})

    run_steps(ctx, [Step("one", lambda _: run("one")), Step("two", lambda _: run("two"))], None)
    return "both steps done"


def main() -> None:
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    worker = Worker(
        Queue(connect(sys.argv[1]), OPERATIONS),
        {"work": handle},
        lease_s=LEASE_S,
        heartbeat_s=LEASE_S / 20,
        poll_s=0.05,
        max_attempts=100,
        on_finish=lambda _conn, operation: tell("finish", operation),
    )
    os.write(1, b"{}\n")
    worker.run(stop, grace_s=0.0)


if __name__ == "__main__":
    main()
