"""Operations, workers and instances as operators see them, in JSON and on the command line. Nothing secret."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from helmbroker.broker.domain import fleet
from helmbroker.broker.domain.audit import Entry
from helmbroker.broker.domain.drift import Seen
from helmbroker.broker.domain.fleet import Candidate, Run, Target
from helmbroker.broker.domain.overview import Tracked
from helmbroker.broker.domain.sources import Provenance
from helmbroker.broker.operations.progress import described, standing, table
from helmbroker.broker.service.checkup import Symptom
from helmbroker.status.workers import WorkerSeen


def operation(tracked: Tracked) -> dict[str, Any]:
    """One operation. Of its parameters only the ids, of its results only the names of the steps."""
    row, where = tracked.operation, standing(tracked.operation)
    step = None if where is None else {"name": where.step, "number": where.number, "of": where.steps}
    ids = {name: row.params.get(name) for name in ("instance_id", "binding_id")}
    return {
        "id": row.id,
        "kind": row.kind,
        **{name: value if isinstance(value, str) else None for name, value in ids.items()},
        "state": str(row.state),
        "description": described(row),
        "step": None if step is None or where is None else {**step, "way_back": where.way_back},
        "steps_done": _done(tracked),
        "attempt": row.attempt,
        "attempts": None if where is None else where.attempts,
        "cancel_requested": row.cancel_requested,
        "owner": tracked.owner,
        "lease_left_s": _rounded(tracked.lease_left_s),
        "due_in_s": _rounded(tracked.due_in_s),
        "queued_at": timestamp(row.created_at),
        "deadline": timestamp(row.deadline),
        "finished_at": None if row.finished_at is None else timestamp(row.finished_at),
    }


def worker(seen: WorkerSeen) -> dict[str, Any]:
    """One worker."""
    return {
        "owner": seen.owner,
        "host": seen.host,
        "started_at": timestamp(seen.started_at),
        "seen_at": timestamp(seen.seen_at),
        "seen_s_ago": _rounded(seen.now - seen.seen_at),
        "lives": seen.lives,
    }


def run(found: Run) -> dict[str, Any]:
    """A run over the fleet, with all that it is about."""
    row, orders = found.operation, found.orders
    resumes = row.params.get("resumes")
    return {
        "id": row.id,
        "service_id": str(row.params["service_id"]),
        "version": str(row.params["version"]),
        "state": str(row.state),
        "description": described(row),
        "counts": dict(fleet.counts(found.members)),
        "canary": orders.canary,
        "wave": orders.wave,
        "stop_on_failure": orders.stop_on_failure,
        "contract": orders.tried,
        "resumes": None if resumes is None else str(resumes),
        "queued_at": timestamp(row.created_at),
        "finished_at": None if row.finished_at is None else timestamp(row.finished_at),
        "instances": [
            {
                "instance_id": each.instance_id,
                "outcome": fleet.word(each),
                "operation_id": each.operation_id,
                "detail": each.detail,
            }
            for each in found.members
        ],
    }


def candidate(target: Target, each: Candidate) -> dict[str, Any]:
    """An instance that a run would be about, or why it would not."""
    return {
        "instance_id": each.instance_id,
        "plan": each.plan,
        "version": each.version,
        "to": target.version,
        "phase": str(each.phase),
        "left_out": each.left_out,
    }


def entry(found: Entry) -> dict[str, Any]:
    """What happened: an entry of the audit, with the time as people read it."""
    who = {"actor": found.actor.name, "origin": found.actor.origin}
    event = {**vars(found.event), "outcome": str(found.event.outcome), "detail": dict(found.event.detail)}
    return {"seq": found.seq, "at": timestamp(found.at), **who, **event}


def symptom(found: Symptom) -> dict[str, Any]:
    """Something that is wrong in the installation."""
    return {
        "kind": str(found.area),
        "subject": found.subject,
        "instance_id": found.instance_id,
        "detail": found.detail,
    }


def finding(seen: Seen) -> dict[str, Any]:
    """One difference between records and cluster."""
    return {
        "kind": str(seen.finding.kind),
        "subject": seen.finding.subject,
        "instance_id": seen.finding.instance_id,
        "detail": seen.finding.detail,
        "since": timestamp(seen.since),
        "seen": timestamp(seen.seen),
    }


def sources(found: Provenance) -> list[dict[str, Any]]:
    """Where the catalog comes from, each source with its addons."""
    return [
        {
            "name": each.standing.name,
            "kind": str(each.standing.kind),
            "location": each.standing.location,
            **_status("ready" if each.standing.reason is None else "failed", each.standing.reason),
            "message": each.standing.message,
            "asked_at": timestamp(each.asked_at),
            "had_at": None if each.had_at is None else timestamp(each.had_at),
            "addons": [
                {
                    "label": row.label,
                    "service_id": row.service_id,
                    "digest": row.digest,
                    **_status(row.state, row.reason),
                    "message": "; ".join(map(str, row.faults)),
                }
                for row in found.listed
                if row.source == each.standing.name
            ],
        }
        for each in found.sources
    ]


def _status(state: str, reason: str | None) -> dict[str, str | None]:
    return {"status": str(state), "reason": None if reason is None else str(reason)}


def timestamp(seconds: float) -> str:
    """RFC 3339, UTC, to the second."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _done(tracked: Tracked) -> list[str]:
    """Finished steps; those of a table that is not known here by the alphabet."""
    row = tracked.operation
    known = [step.name for step in table(row)]
    return sorted(row.results, key=lambda name: (known.index(name) if name in known else len(known), name))


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 1)
