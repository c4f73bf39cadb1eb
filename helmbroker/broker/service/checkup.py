"""What is wrong in the installation, as far as the database tells: each with what to do about it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from helmbroker.broker.domain.overview import Numbers, Tracked
from helmbroker.broker.domain.sources import Provenance

LATE_S, STUCK_S, MANY = 120.0, 600.0, 3  # of schedules; of what waits for its turn; attempts


class Area(StrEnum):
    """Where something is wrong."""

    DATABASE = "database"
    HELM = "helm"
    CLUSTER = "cluster"
    WORKERS = "workers"
    SCHEDULES = "schedules"
    SOURCES = "sources"
    ADDONS = "addons"
    OPERATIONS = "operations"


@dataclass(frozen=True)
class Symptom:
    """detail: what is wrong, and the cure; public."""

    area: Area
    subject: str
    detail: str
    instance_id: str | None = None


def look(numbers: Numbers, going_on: Sequence[Tracked], found: Provenance) -> list[Symptom]:
    """going_on: operations that have not ended; what there is to say of schedules is in the numbers."""
    if not numbers.work.workers:
        detail = "no worker lives, so what is accepted waits. Start `helmbroker worker`, or look at its log"
        return [Symptom(Area.WORKERS, "workers", detail), *_sources(found)]
    return [*_schedules(numbers), *_operations(going_on), *_sources(found)]


def _schedules(numbers: Numbers) -> Iterator[Symptom]:
    for name, due_s in sorted(numbers.work.schedules_due_s.items()):
        if due_s < -LATE_S:
            detail = (
                f"it is {-due_s:.0f} s late: the workers are busy, or of a version that does not know it. "
                "Raise HELMBROKER_CONCURRENCY, start more workers, or bring them all to one version"
            )
            yield Symptom(Area.SCHEDULES, f"schedule {name}", detail)


def _operations(going_on: Sequence[Tracked]) -> Iterator[Symptom]:
    for each in going_on:
        row = each.operation
        instance_id = row.params.get("instance_id")
        why = _stuck(each)
        if why is not None:
            yield Symptom(
                Area.OPERATIONS,
                f"operation {row.id}",
                f"{why}. `helmbroker operations show {row.id}` tells more",
                instance_id if isinstance(instance_id, str) else None,
            )


def _stuck(each: Tracked) -> str | None:
    row, lease_s, due_s = each.operation, each.lease_left_s, each.due_in_s
    if lease_s is not None and lease_s < -LATE_S:
        return f"its worker ({each.owner}) is gone since {-lease_s:.0f} s, and nobody has taken it over"
    if row.attempt > MANY:
        return f"it has failed {row.attempt} times: {row.description}"
    if due_s == 0.0 and each.now - max(each.run_at, row.created_at) > STUCK_S and row.fence == 0:
        return f"it waits for its turn since {each.now - row.created_at:.0f} s"
    return None


def _sources(found: Provenance) -> Iterator[Symptom]:
    for each in found.sources:
        if each.standing.reason is not None:
            detail = f"{each.standing.message or each.standing.reason}. What it had before is offered still"
            yield Symptom(Area.SOURCES, f"source {each.standing.name}", detail)
    for row in found.listed:
        if row.reason is not None:
            detail = f"it is not taken: {'; '.join(map(str, row.faults)) or row.reason}. `helmbroker catalog check`"
            yield Symptom(Area.ADDONS, f"addon {row.source}/{row.label}", detail)
