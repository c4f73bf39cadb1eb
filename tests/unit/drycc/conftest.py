"""A controller of one test, over HTTP, and the adapter in front of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from helmbroker.controller_bridge.apps.drycc.budget import Turns
from helmbroker.controller_bridge.apps.drycc.calls import Calls
from helmbroker.controller_bridge.apps.drycc.client import ControllerClient
from helmbroker.controller_bridge.apps.drycc.releases import DryccAppReleases
from helmbroker.controller_bridge.apps.port import ConfigChange
from helmbroker.controller_bridge.drycc_store import SqlBudget, SqlNotes
from tests.fakes.drycc_controller import DryccController
from tests.operations.bridge.world import empty_store

IMAGE = "shop:1"
WHO = {"author": "ann", "summary": "bind db"}
DATABASE = ConfigChange({"addon_db": {"DB_URI": "s3cr3t-pw"}})


class Seat:
    """Somebody in front of a controller: requests with a token, plain answers."""

    def __init__(self, controller: DryccController, clock: list[float]) -> None:
        self.controller, self.rules, self.clock = controller, controller.rules, clock
        people = self.rules.people
        self.tokens = {
            "admin": people.add("ann", myteam="admin"),
            "member": people.add("max", myteam="member"),
            "viewer": people.add("vic", myteam="viewer"),
            "stranger": people.add("eve", otherteam="admin"),
            "staff": controller.staff,
            "root": people.add("root", superuser=True),
        }
        self.rules.create_app("shop")
        self.rules.create_app("bare")
        self.rules.push("shop", {"web": IMAGE, "worker": IMAGE})
        self.rules.work("shop")

    def __call__(self, method: str, path: str, body: Any = None, *, who: str = "admin", **headers: str) -> Any:
        """The response to a request as `who`; "" sends no token."""
        login = {"Authorization": f"token {self.tokens[who]}"} if who else {}
        return requests.request(
            method,
            self.controller.url + path,
            json=body,
            headers=login | headers,
            timeout=10,
            allow_redirects=False,
        )

    def set(self, *items: dict[str, Any], refs: dict[str, list[str]] | None = None, app: str = "shop") -> Any:
        """POST of config; the response."""
        return self("POST", f"/v2/apps/{app}/config/", {"values": list(items), "values_refs": refs or {}})

    def config(self, app: str = "shop", version: str = "") -> Any:
        """GET of config; its JSON."""
        return self("GET", f"/v2/apps/{app}/config/{version and '?version='}{version}").json()

    def states(self, app: str = "shop") -> list[tuple[int, str]]:
        """Releases, newest first."""
        return [
            (one["version"], one["state"]) for one in self("GET", f"/v2/apps/{app}/releases/").json()["results"]
        ]


@pytest.fixture
def seat() -> Iterator[Seat]:
    clock = [1000.0]
    controller = DryccController(clock=lambda: clock[0])
    yield Seat(controller, clock)
    controller.close()


class Bench:
    """The adapter of one test, with a clock that it sets."""

    def __init__(self, seat: Seat, folder: Path) -> None:
        self.seat, self.store = seat, empty_store(folder)
        self.now = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
        self.client = ControllerClient(seat.controller.url)
        self.token = lambda: seat.controller.staff
        self.waits: list[float] = []

    def apps(self, per_minute: int = 10**6) -> DryccAppReleases:
        """A new one, as after a restart."""
        turns = Turns(SqlBudget(self.store, per_minute), sleep=self.waits.append)
        return DryccAppReleases(Calls(self.client, self.token, turns), SqlNotes(self.store), now=lambda: self.now)

    def change(self, change: ConfigChange = DATABASE, key: str = "op-1") -> int | None:
        return self.apps().change_config("shop", change, **WHO, key=key)

    def out(self, change: ConfigChange = DATABASE, key: str = "op-1") -> int:
        """A change that is deployed and settled."""
        number = self.change(change, key)
        assert number is not None
        self.seat.rules.work("shop")
        self.apps().settle("shop", number)
        self.seat.rules.work("shop")
        return number


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One database for all: it is emptied for each test, which is faster than making it anew."""
    return tmp_path_factory.mktemp("bridge")


@pytest.fixture
def bench(seat: Seat, folder: Path) -> Bench:
    return Bench(seat, folder)


def var(name: str, value: Any, group: str = "addon_db") -> dict[str, Any]:
    """One item of a POST."""
    return {"name": name, "value": value, "group": group}
