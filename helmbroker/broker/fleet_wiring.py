"""What upgrades running instances, in a worker and for commands."""

from __future__ import annotations

from helmbroker.broker.catalog_wiring import make_revisions
from helmbroker.broker.service.fleet import Fleet
from helmbroker.broker.service.instances import InstanceUseCases
from helmbroker.broker.service.offered import Offered
from helmbroker.broker.settings import Settings
from helmbroker.broker.store.store import SqlStore
from helmbroker.broker.worker import upgraded
from helmbroker.durable import Handler


def upgrades(settings: Settings, store: SqlStore) -> dict[str, Handler]:
    """What runs over the fleet in a worker."""
    revisions = make_revisions(settings, store)
    offered = Offered(store, revisions)
    return upgraded(store, offered.look, InstanceUseCases(store, offered, revisions, settings.instance_namespace))


def make_fleet(settings: Settings, store: SqlStore) -> Fleet:
    """What a command asks, by the catalog as the database has it. Raises Unavailable."""
    revisions = make_revisions(settings, store)
    offered = Offered(store, revisions)
    offered.look()
    return Fleet(store, offered, revisions)
