"""The rows behind apps under a Drycc controller: notes of releases, turns of requests, apps to look at."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import sqlalchemy as sa

from helmbroker.audit import Outcome
from helmbroker.controller_bridge.apps.drycc.notes import Note
from helmbroker.controller_bridge.audited import Event
from helmbroker.controller_bridge.store import DRYCC, RESOURCES, Store
from helmbroker.database import now

_TURNS = "controller"
_BURST_SHARE = 0.25  # of the requests of a minute; the rest comes evenly, so that no minute sees more than allowed
_MINUTE_S = 60.0


class SqlNotes:
    """`apps.drycc.notes.Notes` in the database."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def find(self, app: str, key: str) -> Note | None:
        """See Notes.find."""
        t = DRYCC.releases.c
        with self._store.reading() as conn:
            row = conn.execute(sa.select(DRYCC.releases).where(t.app == app, t.key == key)).mappings().first()
        return None if row is None else _note(row)

    def all(self, app: str) -> Sequence[Note]:
        """See Notes.all."""
        t = DRYCC.releases.c
        query = sa.select(DRYCC.releases).where(t.app == app, t.version.is_not(None)).order_by(t.noted)
        with self._store.reading() as conn:
            return [_note(row) for row in conn.execute(query).mappings()]

    def begin(self, app: str, note: Note) -> int | None:
        """See Notes.begin."""
        t = DRYCC.releases.c
        said = {"base": note.base, "author": note.author, "summary": note.summary, "removed": list(note.removed)}
        values = said | {"version": note.version, "reason": note.reason, "waits": note.waits, "noted": time.time()}
        with self._store.writing() as conn:
            where = (t.app == app, t.key == note.key)
            replaced = conn.execute(sa.update(DRYCC.releases).where(*where, t.version.is_(None)).values(**values))
            if replaced.rowcount:
                return None
            known = conn.execute(sa.select(t.version).where(*where)).first()
            if known is None:
                conn.execute(sa.insert(DRYCC.releases).values(app=app, key=note.key, **values))
            return None if known is None else int(known.version)

    def made(self, app: str, key: str, version: int) -> None:
        """See Notes.made."""
        t = DRYCC.releases.c
        with self._store.writing() as conn:
            conn.execute(sa.update(DRYCC.releases).where(t.app == app, t.key == key).values(version=version))

    def failed(self, app: str, version: int, reason: str) -> None:
        """See Notes.failed."""
        t = DRYCC.releases.c
        with self._store.writing() as conn:
            conn.execute(sa.update(DRYCC.releases).where(t.app == app, t.version == version).values(reason=reason))


class SqlBudget:
    """`apps.drycc.budget.Budget` on the database's clock, for all processes (generic cell rate algorithm)."""

    def __init__(self, store: Store, per_minute: int) -> None:
        self._store = store
        burst = max(1, round(per_minute * _BURST_SHARE))
        self._every_s = _MINUTE_S / max(1, per_minute - burst)
        self._burst_s, self._idle_s = burst * self._every_s, burst // 2 * self._every_s

    def turn(self, longest_s: float, *, idle: bool = False) -> float:
        """See Budget.turn. Who is idle leaves half of the burst to others."""
        with self._store.writing() as conn:
            moment, until = self._locked(conn)
            wait_s = until + self._every_s - moment - (self._idle_s if idle else self._burst_s)
            if wait_s <= longest_s:
                self._write(conn, until + self._every_s)
            return max(0.0, wait_s)

    def rest(self, for_s: float) -> None:
        """See Budget.rest."""
        with self._store.writing() as conn:
            moment, until = self._locked(conn)
            self._write(conn, max(until, moment + for_s + self._burst_s))

    def _locked(self, conn: sa.Connection) -> tuple[float, float]:
        """(now, until when turns are taken, at least now), alone until the transaction ends."""
        t = DRYCC.turns.c
        query = sa.select(t.taken_until).where(t.name == _TURNS).with_for_update()
        until = conn.scalar(query)
        if until is None:
            try:
                with conn.begin_nested():
                    conn.execute(sa.insert(DRYCC.turns).values(name=_TURNS, taken_until=0.0))
            except sa.exc.IntegrityError:  # another process was first
                pass
            until = conn.scalar(query)
        moment = float(conn.scalar(sa.select(now(conn))) or 0.0)  # others may have had the lock for long
        return moment, max(moment, float(until or 0.0))

    def _write(self, conn: sa.Connection, until: float) -> None:
        conn.execute(sa.update(DRYCC.turns).where(DRYCC.turns.c.name == _TURNS).values(taken_until=until))


@dataclass(frozen=True)
class WatchedApp:
    """One app to look at. Times are seconds since the epoch."""

    app: str
    seen: int | None  # the newest release that was looked at; None: none yet
    born: str | None  # the uuid of its first release
    missing_since: float | None  # since when the controller does not know it, or has another of its name
    look_at: float  # each look has another
    confirmed: float | None = None  # since when an operator has said that it is gone
    held: int | None = None  # how many went missing at once with it, itself included, when that was too many


_APPS = sa.select(*(DRYCC.apps.c[each.name] for each in fields(WatchedApp)))


class WatchedApps:
    """The apps that have resources. Methods with a connection work in the caller's transaction."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def gather(self, moment: float) -> None:
        """Every app with a living resource is watched from now on, and no other."""
        t, r = DRYCC.apps.c, RESOURCES.c
        living = sa.select(r.app).where(r.deleted.is_(None)).distinct()
        with self._store.writing() as conn:
            new = living.where(r.app.not_in(sa.select(t.app))).add_columns(sa.literal(moment, sa.Double))
            conn.execute(sa.insert(DRYCC.apps).from_select(["app", "look_at"], new))
            conn.execute(sa.delete(DRYCC.apps).where(t.app.not_in(living)))

    def due(self, moment: float) -> list[WatchedApp]:
        """Whose turn it is, longest waiting first."""
        t = DRYCC.apps.c
        return self._found(t.look_at <= moment, order=(t.look_at, t.app))

    def clock(self) -> float:
        """Now, as the database has it: apps are looked at by several workers, one after the other."""
        with self._store.reading() as conn:
            return self._store.now(conn)

    def missing(self) -> list[WatchedApp]:
        """Those that the controller does not know, first missed first."""
        t = DRYCC.apps.c
        return self._found(t.missing_since.is_not(None), order=(t.missing_since, t.app))

    def together(self, conn: sa.Connection, since: float, within_s: float) -> tuple[int, int, int]:
        """How many apps went missing at most `within_s` before or after that moment; how many there are; the most
        with which one of the former is held, 0 when none is.
        """
        then = _missed_near(since, within_s)
        count, held = sa.func.count(sa.case((then, 1))), sa.func.max(sa.case((then, DRYCC.apps.c.held)))
        row = conn.execute(sa.select(count, sa.func.count(), held).select_from(DRYCC.apps)).one()
        return row[0], row[1], row[2] or 0

    def hold(self, conn: sa.Connection, since: float, within_s: float, together: int) -> None:
        """Those that `together` counts are held, each until it is found again, or an operator confirms it."""
        t = DRYCC.apps.c
        fewer = sa.or_(t.held.is_(None), t.held < together)
        conn.execute(sa.update(DRYCC.apps).where(_missed_near(since, within_s), fewer).values(held=together))

    def confirm(self, app: str) -> bool:
        """An operator knows that it is gone: the next look, which comes soon, may remove its resources.

        False: it is not missing.
        """
        t = DRYCC.apps.c
        with self._store.writing() as conn:
            moment, missed = self._store.now(conn), (t.app == app, t.missing_since.is_not(None))
            values = {"confirmed": moment, "look_at": moment}
            found = conn.execute(sa.update(DRYCC.apps).where(*missed).values(**values)).rowcount > 0
            if found:
                self._store.audit.tell(conn, Event("confirm gone", Outcome.DONE, app))
            return found

    def hurry(self, app: str, moment: float) -> None:
        """Look at it as soon as may be."""
        with self._store.writing() as conn:
            conn.execute(sa.update(DRYCC.apps).where(DRYCC.apps.c.app == app).values(look_at=moment))

    def advance(self, conn: sa.Connection, app: str, version: int) -> None:
        """Releases up to this one are known."""
        t = DRYCC.apps.c
        older = sa.or_(t.seen.is_(None), t.seen < version)
        conn.execute(sa.update(DRYCC.apps).where(t.app == app, older).values(seen=version))

    def forget(self, conn: sa.Connection, app: str) -> None:
        """The next look finds its newest release unknown."""
        conn.execute(sa.update(DRYCC.apps).where(DRYCC.apps.c.app == app).values(seen=None))

    def locked(self, conn: sa.Connection, app: str) -> WatchedApp | None:
        """As it is by now, and until the transaction ends; None: it is watched no more."""
        row = conn.execute(_APPS.where(DRYCC.apps.c.app == app).with_for_update()).first()
        return None if row is None else WatchedApp(*row)

    def looked(self, conn: sa.Connection, app: WatchedApp, *, again: float, **found: float | str | None) -> None:
        """When it is looked at again, unless others have said so since it was `app`; as keywords what was found."""
        t = DRYCC.apps.c
        look_at = sa.case((t.look_at == app.look_at, again), else_=t.look_at)
        conn.execute(sa.update(DRYCC.apps).where(t.app == app.app).values(look_at=look_at, **found))

    def _found(self, where: sa.ColumnElement[bool], order: Sequence[sa.ColumnElement[Any]]) -> list[WatchedApp]:
        with self._store.reading() as conn:
            return [WatchedApp(*row) for row in conn.execute(_APPS.where(where).order_by(*order))]


def _missed_near(since: float, within_s: float) -> sa.ColumnElement[bool]:
    return DRYCC.apps.c.missing_since.between(since - within_s, since + within_s)


def _note(row: sa.RowMapping) -> Note:
    shown = {name: row[name] for name in ("key", "base", "author", "summary", "version", "reason", "waits")}
    return Note(**shown, removed=tuple(row["removed"]))
