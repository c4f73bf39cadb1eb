"""Durable operations on SQL: they survive crashes, run one at a time per subject, and end in one of three states.

See docs/explanation/operations.md. At most 500 lines, for ever.
"""

from helmbroker.durable.context import Context, run_steps
from helmbroker.durable.model import (
    JSON,
    Cancelled,
    Conflict,
    Done,
    Fail,
    Failed,
    Interrupted,
    Later,
    LeaseLost,
    Observer,
    Operation,
    Outcome,
    Shutdown,
    State,
    Step,
    Transient,
    Wait,
)
from helmbroker.durable.queue import Queue
from helmbroker.durable.tables import define
from helmbroker.durable.worker import Handler, Worker

__all__ = [
    "JSON",
    "Cancelled",
    "Conflict",
    "Context",
    "Done",
    "Fail",
    "Failed",
    "Handler",
    "Interrupted",
    "Later",
    "LeaseLost",
    "Observer",
    "Operation",
    "Outcome",
    "Queue",
    "Shutdown",
    "State",
    "Step",
    "Transient",
    "Wait",
    "Worker",
    "define",
    "run_steps",
]
