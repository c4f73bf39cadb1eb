"""Where an operation stands among its steps: told from its row and its table of steps, so it costs nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from helmbroker.durable import Operation, State, Step, Worker


@dataclass(frozen=True)
class Standing:
    """Step `number` of `steps`, and attempt `attempt` of `attempts`; both are counted from 1."""

    step: str
    number: int
    steps: int
    attempt: int  # while it waits for its retry: the one to come
    attempts: int
    way_back: bool  # it is being undone: `steps` are those of the way back

    def __str__(self) -> str:
        back = " of the way back" if self.way_back else ""
        again = f"; attempt {self.attempt} of {self.attempts}" if self.attempt > 1 else ""
        return f"step {self.number} of {self.steps}{back}: {self.step}{again}"


def among(operation: Operation, table: Sequence[Step[Any]], *, way_back: bool = False) -> Standing | None:
    """Where it stands in `table`. None: it has not begun, or has ended, or the table is empty."""
    if operation.state.finished or operation.fence == 0 or not table:
        return None
    names = [step.name for step in table]
    left = [number for number, name in enumerate(names, 1) if name not in operation.results]
    number = left[0] if left else len(names)  # all done: its end is about to be stored
    attempt = operation.attempt if operation.state is State.RUNNING else operation.attempt + 1
    attempts = Worker.max_attempts  # the claim after the last one only says that it gives up
    return Standing(names[number - 1], number, len(names), min(attempt, attempts), attempts, way_back)
