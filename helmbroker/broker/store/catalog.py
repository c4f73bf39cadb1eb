"""The catalog as all processes have it: what each source offers, and how the sources were found."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from helmbroker.broker.domain.sources import Retired, SourceSeen
from helmbroker.broker.store.schema import addon_revisions, catalog_addons, catalog_sources, retired
from helmbroker.catalog import archive
from helmbroker.catalog.model import Addon, Fault, Severity
from helmbroker.catalog.sources.model import Listed, Reason, SourceKind, Standing
from helmbroker.database import now


def keep(conn: sa.Connection, addons: Sequence[Addon]) -> None:
    """Keep addons as revisions, so that instances can pin them. The caller is alone."""
    for addon in addons:
        known = addon_revisions.update().where(addon_revisions.c.digest == addon.digest)
        if conn.execute(known.values(kept_at=now(conn))).rowcount == 0:
            row = {"digest": addon.digest, "packed": archive.pack(addon.folder, addon.mended), "kept_at": now(conn)}
            conn.execute(addon_revisions.insert().values(row))


def listed(conn: sa.Connection) -> tuple[Listed, ...]:
    """The catalog, in its order."""
    rows = conn.execute(sa.select(catalog_addons).order_by(catalog_addons.c.position))
    return tuple(
        Listed(
            row.source,
            row.label,
            row.digest,
            row.raw,
            row.service_id,
            None if row.reason is None else Reason(row.reason),
            tuple(
                Fault(file, line, message, Severity(severity))
                for file, line, message, severity in json.loads(row.faults)
            ),
        )
        for row in rows
    )


def retirements(conn: sa.Connection) -> frozenset[Retired]:
    """What is not offered any more though a source has it."""
    return frozenset(Retired(row.service_id, row.plan_id or None) for row in conn.execute(sa.select(retired)))


def retire(conn: sa.Connection, which: Retired, *, undo: bool) -> None:
    """Once more makes no difference."""
    ids = {"service_id": which.service_id, "plan_id": which.plan_id or ""}
    conn.execute(retired.delete().where(*(retired.c[name] == value for name, value in ids.items())))
    if not undo:
        conn.execute(retired.insert().values(**ids, since=now(conn)))


def list_anew(conn: sa.Connection, rows: Sequence[Listed]) -> None:
    """This is the catalog now. What leaves it is kept as long as what has ended."""
    leaving = sa.select(catalog_addons.c.digest).where(catalog_addons.c.digest.is_not(None))
    conn.execute(addon_revisions.update().where(addon_revisions.c.digest.in_(leaving)).values(kept_at=now(conn)))
    conn.execute(catalog_addons.delete())
    for position, row in enumerate(rows):
        faults = json.dumps([[each.file, each.line, each.message, each.severity] for each in row.faults])
        values = {"source": row.source, "label": row.label, "digest": row.digest, "raw": row.raw}
        values |= {"service_id": row.service_id, "reason": row.reason}
        conn.execute(catalog_addons.insert().values(**values, position=position, faults=faults))


def sources(conn: sa.Connection) -> list[SourceSeen]:
    """In the operator's order."""
    rows = conn.execute(sa.select(catalog_sources).order_by(catalog_sources.c.position))
    return [
        SourceSeen(
            Standing(
                row.name,
                SourceKind(row.kind),
                row.location,
                row.seen,
                None if row.reason is None else Reason(row.reason),
                row.message,
            ),
            row.asked_at,
            row.had_at,
        )
        for row in rows
    ]


def note(conn: sa.Connection, names: Sequence[str], standings: Sequence[Standing]) -> None:
    """Write down how sources stand; `names`: of all that there are, in their order."""
    table = catalog_sources
    conn.execute(table.delete().where(table.c.name.not_in(list(names))))
    for each in standings:
        values: dict[str, Any] = {"kind": each.kind, "location": each.location, "seen": each.seen}
        values |= {"reason": each.reason, "message": each.message, "position": names.index(each.name)}
        times = {"asked_at": now(conn)} | ({"had_at": now(conn)} if each.reason is None else {})
        changed = table.update().where(table.c.name == each.name).values(**values, **times)
        if conn.execute(changed).rowcount == 0:
            conn.execute(table.insert().values(name=each.name, **values, **times))
