"""Events of the broker as rows of the audit, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from helmbroker.audit import Actor, Outcome
from helmbroker.broker.domain.audit import Entry, Event
from helmbroker.durable.model import public


def row(actor: Actor, event: Event) -> dict[str, Any]:
    """What helmbroker.audit.chain takes."""
    # providers of logins name people as they like, and databases do not take every character
    origin = None if actor.origin is None else public(actor.origin)
    return {**vars(event), "outcome": str(event.outcome), "actor": public(actor.name), "origin": origin}


def entry(found: Mapping[str, Any]) -> Entry:
    """What it gives back."""
    ids = (found["instance_id"], found["binding_id"], found["operation_id"])
    event = Event(found["action"], Outcome(found["outcome"]), *ids, found["detail"])
    return Entry(found["seq"], found["at"], Actor(found["actor"], found["origin"]), event, found["hash"])
