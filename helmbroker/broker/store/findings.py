"""The table of findings: where records and cluster differ, as the last check has seen it."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from helmbroker.broker.domain.drift import Finding, FindingKind, Seen
from helmbroker.broker.store.schema import findings
from helmbroker.database import now


def read(conn: sa.Connection) -> list[Seen]:
    """All of them, in a stable order."""
    rows = conn.execute(sa.select(findings).order_by(findings.c.kind, findings.c.subject))
    return [
        Seen(Finding(FindingKind(row.kind), row.subject, row.detail, row.instance_id), row.since, row.seen)
        for row in rows
    ]


def replace(conn: sa.Connection, found: Sequence[Finding]) -> None:
    """Of those that were there before, it is kept since when."""
    known = {(each.finding.kind, each.finding.subject): each.since for each in read(conn)}
    conn.execute(findings.delete())
    at = float(conn.scalar(sa.select(now(conn))) or 0.0)
    for each in found:
        values = {"kind": each.kind, "subject": each.subject, "detail": each.detail, "seen": at}
        since = known.get((each.kind, each.subject), at)
        conn.execute(findings.insert().values(**values, instance_id=each.instance_id, since=since))
