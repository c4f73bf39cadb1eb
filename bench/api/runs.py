"""What is measured on one database, and what was promised of it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from bench.api import servers, stock
from bench.api.load import NUMBER, Load
from bench.api.measuring import (
    CLIENTS,
    ROUNDS,
    STORED,
    THREADS,
    WAITING,
    Generator,
    Measured,
    Series,
    generator,
    measured,
    text,
)
from helmbroker.catalog.model import Catalog
from tests.postgresql import empty_database, server

BARE = 0
"""In place of a number of instances: the bare application."""
LEAST_SHARE = 0.5
"""Of the bare application's rate, for catalog and last_operation."""
PUT_LIMIT_MS = 100.0
"""The 99th percentile of an accepted PUT at 50 clients on PostgreSQL."""
MOST_GROWTH = 1.2
"""How much more a request may cost with 10,000 instances than with 10."""
HEALTH_LIMIT_MS = 100.0
"""The 99th percentile of a probe while 50 binds wait."""


class Request(StrEnum):
    """What is asked for."""

    CATALOG = "GET catalog"
    UNCHANGED = "GET catalog, 304"
    POLL = "GET last_operation"
    PUT = "PUT instance, 202"


@dataclass(frozen=True)
class Promise:
    """A bound and what it is compared with."""

    text: str
    value: float
    limit: float
    least: bool = False

    @property
    def kept(self) -> bool:
        return self.value >= self.limit if self.least else self.value <= self.limit


@dataclass
class Run:
    """One database's figures: by request, clients and stored instances (BARE: the bare application)."""

    database: str
    series: dict[tuple[Request, int, int], Series] = field(default_factory=dict)
    health: dict[int, Series] = field(default_factory=dict)  # by the number of binds that wait

    def share(self, request: Request, clients: int, stored: int) -> float:
        """Of the bare application's rate."""
        return self.series[(request, clients, stored)].rate / self.series[(request, clients, BARE)].rate

    def growth(self, request: Request, clients: int) -> float:
        """How many times the cost with the fewest instances is the cost with the most."""
        few, many = (self.series[(request, clients, stored)].rate for stored in (STORED[0], STORED[-1]))
        return few / many

    def promises(self) -> Iterator[Promise]:
        """Every bound."""
        for request in (Request.CATALOG, Request.UNCHANGED, Request.POLL):
            least = min(self.share(request, clients, stored) for clients in CLIENTS for stored in STORED)
            yield Promise(f"{request}: share of the bare rate, the least", least, LEAST_SHARE, least=True)
        for request in Request:
            most = max(self.growth(request, clients) for clients in CLIENTS)
            yield Promise(
                f"{request}: cost with {STORED[-1]:,} instances to {STORED[0]}, the most", most, MOST_GROWTH
            )
        slow = max(self.series[(Request.PUT, CLIENTS[-1], stored)].percentile_ms(99) for stored in STORED)
        limit = PUT_LIMIT_MS if self.database == "postgresql" else float("inf")
        yield Promise(f"{Request.PUT}: 99th percentile at {CLIENTS[-1]} clients, ms", slow, limit)
        waited = self.health[WAITING].percentile_ms(99)
        yield Promise(f"GET /healthz while {WAITING} binds wait: 99th percentile, ms", waited, HEALTH_LIMIT_MS)


def measure(database: str, seconds: float) -> Run:
    """Everything on one database; each load lasts `seconds`."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        addons = stock.shelf(folder / "addons")
        catalog = stock.catalog(addons)
        urls = stack.enter_context(_databases(database))
        brokers = {
            stored: stack.enter_context(measured(folder / str(stored), next(urls), addons, catalog, stored))
            for stored in STORED
        }
        bare = stack.enter_context(servers.hello(THREADS))
        load = stack.enter_context(generator())
        run = Run(database)
        for request in Request:
            for clients in CLIENTS:
                for _ in range(ROUNDS):
                    _round(run, request, clients, seconds, brokers, bare, load, catalog)
        _health(run, seconds, brokers[STORED[0]], load, stack.enter_context(generator()), catalog)
        return run


@contextmanager
def _databases(database: str) -> Iterator[Iterator[str | None]]:
    """URLs of empty databases; None for a file."""
    if database == "sqlite":
        yield iter([None] * len(STORED))
    else:
        with server(durable=True) as running:
            yield (empty_database(running.url) for _ in STORED)


def _round(
    run: Run,
    request: Request,
    clients: int,
    seconds: float,
    brokers: dict[int, Measured],
    bare: int,
    load: Generator,
    catalog: Catalog,
) -> None:
    """Each in its turn, so that what else the machine does is the same for all."""
    found = load.run(Load(bare, clients, seconds, text("GET", "/")))
    run.series.setdefault((request, clients, BARE), Series()).add(found)
    for stored, broker in brokers.items():
        found = load.run(Load(broker.port, clients, seconds, _text(request, catalog, broker)))
        run.series.setdefault((request, clients, stored), Series()).add(found)
        if request is Request.PUT:
            broker.stock.clear()


def _text(request: Request, catalog: Catalog, broker: Measured) -> str:
    match request:
        case Request.CATALOG:
            return text("GET", "/v2/catalog")
        case Request.UNCHANGED:
            return text("GET", "/v2/catalog", etag=broker.etag)
        case Request.POLL:
            return text("GET", "/v2/service_instances/i1/last_operation")
        case Request.PUT:
            path = f"/v2/service_instances/{stock.PASSING}{NUMBER}?accepts_incomplete=true"
            owner = {"organization_guid": "org", "space_guid": "space", "context": {"platform": "kubernetes"}}
            return text("PUT", path, {**_ids(catalog), **owner, "parameters": stock.PARAMETERS})


def _ids(catalog: Catalog) -> dict[str, str]:
    return {"service_id": catalog.addons[0].id, "plan_id": catalog.addons[0].plans[0].id}


def _health(
    run: Run, seconds: float, broker: Measured, load: Generator, waiting: Generator, catalog: Catalog
) -> None:
    """A probe every moment from ten clients, without and with binds that wait in the same process."""
    probe = Load(broker.port, 10, seconds * ROUNDS, text("GET", "/healthz"))
    run.health[0] = Series()
    run.health[0].add(load.run(probe))
    bind = text("PUT", f"/v2/service_instances/i1/service_bindings/{stock.PASSING}{NUMBER}", _ids(catalog))
    waiting.send(Load(broker.port, WAITING, 0, bind))
    broker.stock.await_operations(WAITING)
    run.health[WAITING] = Series()
    run.health[WAITING].add(load.run(probe))
    answers = waiting.result().statuses
    if sum(answers.values()) != WAITING or set(answers) - {"422", "504"}:
        raise servers.CannotServe(f"the binds were to wait until their time was over, and did not: {answers}")
    broker.stock.clear()
