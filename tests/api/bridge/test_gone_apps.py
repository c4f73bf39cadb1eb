"""Resources whose app is gone, while its name may be another's: what is shown of them, and what is refused."""

from __future__ import annotations

import pytest

from helmbroker.controller_bridge.drycc_store import WatchedApps
from tests.api.bridge.calls import Calls
from tests.api.bridge.test_resources import DB

GONE = "app shop is gone, or another app has its name: its resources can only be unbound and destroyed"


@pytest.fixture
def gone(call: Calls) -> Calls:
    call.world.bound()
    watched = WatchedApps(call.world.store)
    watched.gather(0.0)
    (app,) = watched.due(1.0)
    with call.world.store.writing() as conn:
        watched.looked(conn, app, again=2.0, missing_since=1.0)
    return call


def test_no_credentials_are_shown(gone: Calls) -> None:
    shown = gone("GET", DB, who="member").json
    assert (shown["data"], shown["binding"]) == ({}, "Ready")
    assert shown["message"].endswith(f"(the credentials cannot be shown: {GONE})")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", DB, {"plan": "postgresql:large"}),
        ("PATCH", f"{DB}binding/", {"bind_action": "bind"}),
        ("POST", f"{DB}rotate/", {}),
        ("POST", "/v2/apps/blog/resources/", {"name": "loot", "from": "shop/my-db"}),
    ],
)
def test_nothing_is_begun(gone: Calls, method: str, path: str, body: object) -> None:
    answer = gone(method, path, body)
    assert (answer.status_code, answer.json) == (400, {"detail": GONE})


def test_it_can_be_removed(gone: Calls) -> None:
    assert gone("PATCH", f"{DB}binding/", {"bind_action": "unbind"}).status_code == 200
    while gone.world.hand.turn():
        pass
    assert gone("DELETE", DB).status_code == 204
