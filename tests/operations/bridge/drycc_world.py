"""The platform side over a Drycc controller: adapter and HTTP are real, pipelines end when somebody looks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import cast

import sqlalchemy as sa

from helmbroker.controller_bridge.apps.drycc.budget import Turns
from helmbroker.controller_bridge.apps.drycc.calls import Calls
from helmbroker.controller_bridge.apps.drycc.client import ControllerClient
from helmbroker.controller_bridge.apps.drycc.releases import DryccAppReleases
from helmbroker.controller_bridge.apps.port import AppReleases
from helmbroker.controller_bridge.drycc_store import SqlNotes
from helmbroker.controller_bridge.operations.handlers import handlers
from helmbroker.controller_bridge.operations.work import Pace, Ports
from tests.fakes.app_releases import FakeAppReleases
from tests.fakes.drycc_controller import DryccController
from tests.operations.bridge.world import APP, SEALER, World, breaks
from tests.operations.course import Course, Memory, Watched

IMAGES = {"web": "shop:1", "worker": "shop:1"}


class Plenty:
    """A budget without end: to ask the database for turns takes half of the time."""

    def turn(self, longest_s: float, *, idle: bool = False) -> float:
        return 0.0

    def rest(self, for_s: float) -> None:
        """Nobody throttles."""


class DryccWorld(World):
    """A World whose apps are at a controller; close it."""

    first = 2

    def __init__(self, folder: Path, *, engine: sa.Engine | None = None) -> None:
        super().__init__(folder, engine=engine)
        self.controller = DryccController()
        self.controller.hurries, self.rules = True, self.controller.rules
        self.rules._breaks = _breaks
        self.rules.create_app(APP)
        self.rules.push(APP, IMAGES)
        self.rules.work(APP)
        client = ControllerClient(self.controller.url)
        self._calls = Calls(client, lambda: self.controller.staff, Turns(Plenty()))
        self.apps = cast("FakeAppReleases", self._apps(self._calls))
        ports = Ports(self.store, self.brokers, self.apps, SEALER, Pace(0.0, 0.0), 0.0)
        self.hand.worker.handlers = handlers(ports)

    def close(self) -> None:
        """Stop the controller."""
        self.controller.close()

    def watched_apps(self, course: Course) -> AppReleases:
        """Each request to the controller is a place as well: it dies after the 201, the answer is lost."""
        calls = cast("Calls", Watched(self._calls, "controller", course))
        return cast("AppReleases", Watched(self._apps(calls), "apps", course))

    def memory(self) -> Memory:
        return Memory(self.broker, self.rules, keep=frozenset({"on_release", "now", "_breaks"}))

    def config(self) -> list[str]:
        """Of the newest release that has not failed."""
        config = self.rules.apps[APP].good.config
        return sorted(
            {each["group"] for each in config.values} | {ref for refs in config.refs.values() for ref in refs}
        )

    def lose_credentials(self) -> None:
        self.rules.push(APP, IMAGES | {"web": "shop:2"}, dryccfile={"values": []})
        self.rules.work(APP)

    def environment(self) -> dict[str, str]:
        found = self.rules.apps[APP].environment("web")
        assert self.rules.apps[APP].environment("worker") == found
        return found

    def observe(self) -> object:
        """When all pipelines have ended: the last request of an unbind begins one that nobody waits for."""
        self.rules.work(APP)
        return super().observe()

    def offered(self) -> list[str]:
        return []

    def _apps(self, calls: Calls) -> DryccAppReleases:
        return DryccAppReleases(calls, SqlNotes(self.store))


def _breaks(_ptype: str, environment: Mapping[str, str]) -> str | None:
    return breaks(dict(environment))
