"""What operators see of the work that goes on: facts of the database, as they are at one moment. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from helmbroker.broker.domain.operation import Phase
from helmbroker.durable import Operation, State
from helmbroker.status.numbers import WorkNumbers


@dataclass(frozen=True)
class Tracked:
    """An operation, and who has it. Times, `now` too: seconds since the epoch on the database's clock."""

    operation: Operation
    owner: str | None
    lease_until: float
    run_at: float
    now: float

    @property
    def lease_left_s(self) -> float | None:
        """Of one that runs: negative when its worker is gone, and nobody has taken it over yet."""
        return self.lease_until - self.now if self.operation.state is State.RUNNING else None

    @property
    def due_in_s(self) -> float | None:
        """Of one that is queued: seconds until it may be tried, not negative; others may be before it."""
        return max(0.0, self.run_at - self.now) if self.operation.state is State.QUEUED else None


@dataclass(frozen=True)
class Wanted:
    """Which operations are asked for: empty means any. Schedules are no operations unless `kinds` names theirs."""

    states: Sequence[State] = ()
    kinds: Sequence[str] = ()
    instance_id: str | None = None
    limit: int = 100


@dataclass(frozen=True)
class Numbers:
    """What metrics tell."""

    work: WorkNumbers = field(default_factory=WorkNumbers)
    instances: Mapping[tuple[str, str, Phase], int] = field(default_factory=dict)  # by ids of service and plan
    bindings: Mapping[tuple[str, str, Phase], int] = field(default_factory=dict)
    findings: Mapping[str, int] = field(default_factory=dict)  # by kind


@dataclass(frozen=True)
class Pinned:
    """What an instance was made from."""

    addon_digest: str
    plan_id: str
