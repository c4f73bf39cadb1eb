"""What is written down of who did what to instances and bindings. Names of parameters, never a value."""

from __future__ import annotations

from dataclasses import dataclass, field

from helmbroker import audit
from helmbroker.audit import Actor, Outcome
from helmbroker.broker.domain.credentials import Parameters
from helmbroker.catalog.model import NOTHING, Object

BROKER = Actor("broker")  # by itself: schedules, and the end of operations


@dataclass(frozen=True)
class Event:
    """What happened to which thing. detail: public, as JSON."""

    action: str
    outcome: Outcome
    instance_id: str | None = None
    binding_id: str | None = None
    operation_id: str | None = None
    detail: Object = field(default_factory=lambda: NOTHING)


@dataclass(frozen=True)
class Entry:
    """A row of the audit. at: seconds since the epoch on the database's clock; hash: of it and all before it."""

    seq: int
    at: float
    actor: Actor
    event: Event
    hash: str


def names(parameters: Parameters) -> list[str]:
    """Of all parameters, those inside others with dots; the first 100, each cut to 100 characters."""
    return audit.names(parameters.reveal())


def changed_names(before: Parameters, after: Parameters) -> list[str]:
    """Of the parameters that were set, changed or taken away; as `names`."""
    old, new = (dict(audit.leaves(each.reveal())) for each in (before, after))
    changed = {path for path in {*old, *new} if (path in old, old.get(path)) != (path in new, new.get(path))}
    return audit.bounded(changed)
