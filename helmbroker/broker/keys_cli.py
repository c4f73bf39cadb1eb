"""`helmbroker keys`: the key ring, the database, and what the cluster remembers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from helmbroker import key_commands
from helmbroker.audit import Outcome
from helmbroker.broker import wiring
from helmbroker.broker.command import opened_store, with_settings
from helmbroker.broker.domain.audit import Event
from helmbroker.broker.service.remembered import Remembered
from helmbroker.broker.settings import Settings
from helmbroker.broker.store import sealed
from helmbroker.sealing import RingFile


@contextmanager
def _safe(settings: Settings) -> Iterator[key_commands.Safe]:
    ring = RingFile(settings.keys_file)
    with opened_store(settings, 1) as store:
        namespaces = sorted({settings.instance_namespace, *sealed.namespaces(store.engine)})
        remembered = Remembered(wiring.make_cluster(settings), store.broker_id, namespaces)

        def note(action: str, key_id: str) -> None:
            with store.transaction() as tx:
                tx.tell(Event(f"keys {action}", Outcome.DONE, detail={"key": key_id}))

        yield key_commands.Safe(ring, [*sealed.columns(store.engine), remembered], note)


keys = key_commands.group("helmbroker", with_settings, _safe)
