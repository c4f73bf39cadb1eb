"""Where an operation stands among its steps: told from its row and the tables of steps alone, so it costs nothing.

Pure, and light enough for the API: it loads the tables, but neither helm nor a client of the cluster.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from helmbroker.broker.domain.operation import Kind
from helmbroker.broker.operations import bind, deprovision, provision, purge, refresh, repair, unbind, update
from helmbroker.durable import Operation, State, Step, Worker

TABLES: Mapping[str, Sequence[Step[Any]]] = {
    Kind.PROVISION: provision.STEPS,
    Kind.UPDATE: update.STEPS,
    Kind.DEPROVISION: deprovision.STEPS,
    Kind.BIND: bind.STEPS,
    Kind.UNBIND: unbind.STEPS,
    Kind.REPAIR: repair.STEPS,
    Kind.PURGE: purge.STEPS,
    Kind.REFRESH: refresh.STEPS,
}


@dataclass(frozen=True)
class Standing:
    """Step `number` of `steps`, and attempt `attempt` of `attempts`; both are counted from 1."""

    step: str
    number: int
    steps: int
    attempt: int  # while it waits for its retry: the one to come
    attempts: int
    way_back: bool  # an update that is being undone: `steps` are those of the way back

    def __str__(self) -> str:
        back = " of the way back" if self.way_back else ""
        again = f"; attempt {self.attempt} of {self.attempts}" if self.attempt > 1 else ""
        return f"step {self.number} of {self.steps}{back}: {self.step}{again}"


def standing(operation: Operation) -> Standing | None:
    """Where it stands. None: it has not begun, or has ended, or is of a kind without a table."""
    begun = operation.fence > 0
    names = _names(operation)
    if operation.state.finished or not begun or not names:
        return None
    left = [number for number, name in enumerate(names, 1) if name not in operation.results]
    number = left[0] if left else len(names)  # all done: its end is about to be stored
    attempt = operation.attempt if operation.state is State.RUNNING else operation.attempt + 1
    attempts = Worker.max_attempts  # the claim after the last one only says that it gives up
    return Standing(names[number - 1], number, len(names), min(attempt, attempts), attempts, _goes_back(operation))


def described(operation: Operation) -> str:
    """Its description; while it goes on, with where it stands."""
    where = standing(operation)
    return operation.description if where is None else f"{operation.description} ({where})".strip()


def _names(operation: Operation) -> list[str]:
    table = update.WAY_BACK if _goes_back(operation) else TABLES.get(operation.kind, ())
    return [step.name for step in table]


def _goes_back(operation: Operation) -> bool:
    return operation.kind == Kind.UPDATE and update.GIVEN_UP in operation.results
