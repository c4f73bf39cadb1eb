"""What upgrades running instances, in a worker; and what commands do that is done in the API otherwise."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from helmbroker.broker.catalog_wiring import make_revisions
from helmbroker.broker.domain.ports import AddonRevisions
from helmbroker.broker.service import Service, WaitingRoom
from helmbroker.broker.service.fleet import Fleet
from helmbroker.broker.service.instances import InstanceUseCases
from helmbroker.broker.service.offered import Offered
from helmbroker.broker.service.operate import Operate
from helmbroker.broker.service.retirement import Retirement
from helmbroker.broker.settings import Settings
from helmbroker.broker.store.store import SqlStore
from helmbroker.broker.worker import upgraded
from helmbroker.catalog.model import Catalog
from helmbroker.durable import Handler

if TYPE_CHECKING:
    from helmbroker.broker.api.admin import Admin
    from helmbroker.broker.api.auth.admin import Admins


def upgrades(settings: Settings, store: SqlStore) -> dict[str, Handler]:
    """What runs over the fleet in a worker."""
    revisions = make_revisions(settings, store)
    offered = Offered(store, revisions)
    instances = InstanceUseCases(store, lambda: offered.whole, revisions, settings.instance_namespace)
    return upgraded(store, offered.look, instances)


def make_admin(
    store: SqlStore,
    admins: Admins,
    service: Service,
    whole: Callable[[], Catalog],
    revisions: AddonRevisions,
    counted: Callable[[], bytes],
) -> Admin:
    """What operators are answered over HTTP. `whole`: the catalog with what is retired, which has instances still;
    `counted`: the metrics of this process."""
    from helmbroker.broker.api.admin import Admin  # noqa: PLC0415  # Flask, which a worker does without

    fleet = Fleet(store, whole, revisions)
    retirement = Retirement(store, store, whole)
    operate = Operate(store, service)
    return Admin(admins, store.overview, store, whole, store, fleet, operate, retirement, counted)


def make_operate(settings: Settings, store: SqlStore) -> Operate:
    """As `make_fleet`."""
    revisions = make_revisions(settings, store)
    offered = Offered(store, revisions)
    offered.look()
    room = WaitingRoom(store.watch, threading.Event(), most=1, wait_s=1.0)  # in which a command never waits
    return Operate(store, Service(store, offered, revisions, settings.instance_namespace, room))


def make_retirement(settings: Settings, store: SqlStore) -> Retirement:
    """As `make_fleet`."""
    offered = Offered(store, make_revisions(settings, store))
    offered.look()
    return Retirement(store, store, lambda: offered.whole)


def make_fleet(settings: Settings, store: SqlStore) -> Fleet:
    """What a command asks, by the catalog as the database has it. Raises Unavailable."""
    revisions = make_revisions(settings, store)
    offered = Offered(store, revisions)
    offered.look()
    return Fleet(store, lambda: offered.whole, revisions)
