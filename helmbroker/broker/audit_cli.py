"""`helmbroker audit`: who did what to which service instance and binding."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from helmbroker.audit import Verdict, commands
from helmbroker.broker.command import opened_store, with_settings_or
from helmbroker.broker.domain.audit import Entry
from helmbroker.broker.settings import Settings
from helmbroker.broker.store.store import SqlStore

_THINGS = commands.Things(("instance_id", "binding_id"), "--instance", "Of this service instance and its bindings.")


@dataclass(frozen=True)
class _Log:
    store: SqlStore

    def entries(self, *, only: str | None = None, newest: int | None = None) -> Iterator[dict[str, Any]]:
        return map(_row, self.store.entries(instance_id=only, newest=newest))

    def verify(self, anchor: tuple[int, str] | None = None) -> Verdict:
        return self.store.verify(anchor)


@contextmanager
def _opened(settings: Settings) -> Iterator[commands.Log]:
    with opened_store(settings, commands.CANNOT) as store:
        yield _Log(store)


def _row(entry: Entry) -> dict[str, Any]:
    who = {"actor": entry.actor.name, "origin": entry.actor.origin}
    return {"seq": entry.seq, "at": entry.at, **who, **vars(entry.event), "hash": entry.hash}


audit = commands.group("helmbroker", _THINGS, with_settings_or(commands.CANNOT), _opened)
