"""A bridge over a controller whose apps it looks at, with the clock of the test."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
import sqlalchemy as sa

from helmbroker.controller_bridge.apps.drycc.budget import Turns
from helmbroker.controller_bridge.apps.drycc.calls import Calls
from helmbroker.controller_bridge.apps.drycc.client import ControllerClient
from helmbroker.controller_bridge.apps.drycc.releases import DryccAppReleases
from helmbroker.controller_bridge.drycc_store import SqlBudget, SqlNotes
from helmbroker.controller_bridge.drycc_watch import Watch
from helmbroker.controller_bridge.model import BindingState
from helmbroker.controller_bridge.operations.handlers import handlers
from helmbroker.controller_bridge.operations.work import Pace, Ports
from helmbroker.controller_bridge.service import NewResource
from helmbroker.durable import Context, Operation
from tests.operations.bridge.world import APP, DB, SEALER, World
from tests.operations.harness import Disturbed
from tests.unit.drycc.conftest import Seat

POLL_S, GRACE_S = 900.0, 86400.0
RELEASES = "/v2/apps/shop/releases/"


class Unbothered:
    """The context of a schedule that nobody ends."""

    def check(self) -> None:
        """Go on."""


class Passing(Disturbed):
    """A claim whose pauses cost no time: pipelines end in them."""

    deploy: Callable[[], None]

    def wait(self, seconds: float) -> None:
        self.check()
        self.deploy()


class Tower:
    """A bridge over a controller, with the clock of the test. Pipelines end whenever operations wait."""

    def __init__(self, seat: Seat, folder: Path) -> None:
        self.seat, self.rules, self.world = seat, seat.rules, World(folder)
        self.store, self.service, self.broker = self.world.store, self.world.service, self.world.broker
        self.now = datetime.now(UTC)
        self.rules.now = lambda: self.now.strftime("%Y-%m-%dT%H:%M:%SZ")
        ports = Ports(self.store, self.world.brokers, self.apps(), SEALER, Pace(0.0, 0.0), 0.0)
        self.world.hand.worker.handlers = handlers(ports)
        self.world.hand.claims = type("Claim", (Passing,), {"deploy": self.deploy})

    def calls(self, per_minute: int = 10**6, *, idle: bool = False) -> Calls:
        turns = Turns(SqlBudget(self.store, per_minute), idle=idle)
        return Calls(ControllerClient(self.seat.controller.url), lambda: self.seat.controller.staff, turns)

    def apps(self) -> DryccAppReleases:
        return DryccAppReleases(self.calls(), SqlNotes(self.store), now=lambda: self.now)

    def look(
        self, after_s: float = 0.0, per_minute: int = 10**6, meanwhile: Callable[[], object] = lambda: None
    ) -> str:
        """One run of the schedule. meanwhile: what others do when the first look has begun."""
        self.now += timedelta(seconds=after_s)
        others: list[Callable[[], object]] = [meanwhile, lambda: None]

        def clock() -> float:
            if others:
                others.pop()()
            return self.now.timestamp()

        watch = Watch(self.store, self.service, self.calls(per_minute, idle=True), POLL_S, GRACE_S, clock)
        return watch.run(cast("Context", Unbothered()))

    def work(self) -> None:
        """Operations run to their ends, pipelines too."""
        for _ in range(100):
            self.world.hand.pass_time()
            if not self.world.hand.turn():
                return
            self.deploy()

    def deploy(self, _claim: object = None) -> None:
        """All pipelines end."""
        for app in self.rules.apps:
            self.rules.work(app)

    def bind(self, name: str = DB) -> None:
        """A resource whose credentials are live in the app."""
        self.service.create(NewResource(APP, name, "postgresql", "small", {}), "alice")
        self.work()
        self.service.bind(APP, name, "alice")
        self.work()
        assert self.resource(name).binding is BindingState.READY

    def resource(self, name: str = DB) -> Any:
        return self.service.look(APP, name).resource

    def environment(self) -> dict[str, str]:
        return self.rules.apps[APP].environment("web")

    def push(self, image: str = "shop:2", *, wipes: bool = True) -> None:
        """A build; with a dryccfile it takes what was injected."""
        images = {"web": image, "worker": image}
        self.rules.push(APP, images, dryccfile={"values": []} if wipes else None)
        self.rules.work(APP)

    def reinjections(self) -> list[Operation]:
        with self.store.reading() as conn:
            ids = conn.scalars(sa.text("SELECT id FROM operations WHERE kind = 'reinject' ORDER BY seq")).all()
        return [self.world.hand.operation(id_) for id_ in ids]


@pytest.fixture
def tower(seat: Seat, folder: Path) -> Tower:
    return Tower(seat, folder)


@pytest.fixture
def bound(tower: Tower) -> Tower:
    """An app with a binding, looked at."""
    tower.bind()
    tower.look()
    tower.work()
    return tower
