"""A worker process of the measurement. Arguments: the database's URL, the lease in seconds.

An operation has one step, which takes as long as its parameter says. Each begin of a step is a line on the standard
output: the operation, and when, on the clock that all processes of the machine share.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time

import sqlalchemy as sa

from helmbroker.database import connect
from helmbroker.durable import Context, Done, Queue, Step, Worker, define, run_steps

METADATA = sa.MetaData()
OPERATIONS = define(METADATA)


def handle(ctx: Context) -> str:
    """One step."""

    def step(_: None) -> Done:
        step_s = float(str(ctx.operation.params["step_s"]))
        if step_s:
            os.write(1, f"{ctx.operation.id} {time.monotonic()}\n".encode())
            ctx.wait(step_s)
        return Done()

    run_steps(ctx, [Step("one", step)], None)
    return "done"


def main() -> None:
    """Work until SIGTERM."""
    stop, lease_s = threading.Event(), float(sys.argv[2])
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    queue = Queue(connect(sys.argv[1]), OPERATIONS)
    worker = Worker(queue, {"work": handle}, lease_s=lease_s, heartbeat_s=min(2.0, lease_s / 5))
    os.write(1, b"ready 0\n")
    worker.run(stop, grace_s=0.0)


if __name__ == "__main__":
    main()
