"""A controller of one test, over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.fakes.drycc_controller import DryccController

IMAGE = "shop:1"


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


def var(name: str, value: Any, group: str = "addon_db") -> dict[str, Any]:
    """One item of a POST."""
    return {"name": name, "value": value, "group": group}
